"""The user's cache folder: what can be had again, such as data sets that were downloaded."""

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """`neptune-nas` below `$XDG_CACHE_HOME`, or below `~/.cache`; None for a user without a home.

    `XDG_CACHE_HOME` counts where it is an absolute path, as the XDG Base Directory Specification
    says.
    """
    said = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(said) if os.path.isabs(said) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "neptune-nas"
