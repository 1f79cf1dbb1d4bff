"""Searches: settings, parts, the loop that asks, evaluates and tells, and resumption."""
