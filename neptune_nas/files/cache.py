"""The user's cache folder, for files that can be recreated, such as downloaded data sets."""

from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path | None:
    """Return this package's cache folder on this system; None for a user without a home.

    On Linux it is `neptune-nas` below `$XDG_CACHE_HOME`, if an absolute path, else `~/.cache`.
    """
    try:
        return user_cache_path("neptune-nas", appauthor=False)
    except RuntimeError:
        return None
