"""Exports of a model to other formats, one per module."""
