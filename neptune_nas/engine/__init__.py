"""Engines, which run evaluations in local worker processes or on a Ray cluster."""
