"""The records of an architecture, their JSON, key and one-line description."""
