"""What measures an architecture: short training, zero-cost proxies, tabular benchmarks."""
