"""Architectures and trained networks in files, and their export."""
