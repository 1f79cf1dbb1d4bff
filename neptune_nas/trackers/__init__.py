"""Trackers: other programs that show the results of searches and trainings."""
