"""Optuna samplers that know the space."""
