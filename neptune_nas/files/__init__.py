"""Files that are whole or not there, locks, one schema, tensors, and what a file is."""
