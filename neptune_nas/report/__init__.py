"""What a search found, for people to look at."""
