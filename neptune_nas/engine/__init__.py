"""Where evaluations run: local worker processes."""
