"""Files: atomic writes, locks, the schema of records, tensors, and kinds of files."""
