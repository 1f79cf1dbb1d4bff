"""Checks on a study's results: audit, confirmation, baselines, reference networks."""
