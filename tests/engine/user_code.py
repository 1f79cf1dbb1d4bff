"""Stands for a loader of users' files: what a `setup` does in each worker."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_user_module(path: Path) -> ModuleType:
    """Import the file at `path` under its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
