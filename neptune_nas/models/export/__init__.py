"""A model in other forms, one a file."""
