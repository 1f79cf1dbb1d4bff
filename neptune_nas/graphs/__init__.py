"""Networks as the lists of operations that a runtime on a device executes."""
