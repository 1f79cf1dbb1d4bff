"""Studies: the trials of one question on disk, and everything derived from them."""
