"""Image data sets as uint8 tensors, with fixed train, validation and test splits."""
