"""Evaluators of architectures: short training, zero-cost proxies, tabular benchmarks."""
