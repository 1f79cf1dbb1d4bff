"""A model in other formats, one a file."""
