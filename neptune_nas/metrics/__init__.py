"""Metrics: counted before training, timed, or scored; Pareto dominance."""
