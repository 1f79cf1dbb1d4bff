"""Making a study: ask, evaluate, tell; what a search needs for it, and where its study lies."""
