"""The user's cache folder: what can be had again, such as data sets that were downloaded."""

from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path | None:
    """Return the folder for this package as the system says; None for a user without a home.

    On Linux `neptune-nas` below `$XDG_CACHE_HOME`, if that is an absolute path, else `~/.cache`.
    """
    try:
        return user_cache_path("neptune-nas", appauthor=False)
    except RuntimeError:
        return None
