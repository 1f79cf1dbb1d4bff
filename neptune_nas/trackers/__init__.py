"""Where the results of searches and trainings can be followed, besides the report."""
