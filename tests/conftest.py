"""Hypothesis without a deadline: how long an example takes depends on what else runs."""

from hypothesis import settings

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
