"""A network trained in full: from several seeds, in a folder, measured on the test split once."""
