"""The user's folders: one for what can be recreated, such as downloads, and one for what cannot."""

from pathlib import Path

from platformdirs import user_cache_path, user_data_path


def cache_folder() -> Path | None:
    """Return this package's cache folder on this system; None for a user without a home.

    On Linux it is `neptune-nas` below `$XDG_CACHE_HOME`, if an absolute path, else `~/.cache`.
    """
    try:
        return user_cache_path("neptune-nas", appauthor=False)
    except RuntimeError:
        return None


def data_folder() -> Path | None:
    """Return this package's data folder on this system; None for a user without a home.

    On Linux it is `neptune-nas` below `$XDG_DATA_HOME`, if an absolute path, else `~/.local/share`.
    """
    try:
        return user_data_path("neptune-nas", appauthor=False)
    except RuntimeError:
        return None
