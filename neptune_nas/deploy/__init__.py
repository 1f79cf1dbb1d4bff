"""Networks on devices: targets, int8, memory, files and runtimes."""
