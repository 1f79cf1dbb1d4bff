"""neptune-nas: neural architecture search for light image networks.

What a template is written with is imported at once and is light; what needs torch or Optuna is
imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neptune_nas.architecture import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
    SubStage,
)
from neptune_nas.errors import NeptuneError
from neptune_nas.space import Space, buildable, choice, integer, optional, repeat, tie, where

if TYPE_CHECKING:
    from neptune_nas.build import build
    from neptune_nas.export import load
    from neptune_nas.search import Search

__version__ = "0.1.0"

LAZY = {"Search": "neptune_nas.search", "build": "neptune_nas.build", "load": "neptune_nas.export"}


def __getattr__(name: str) -> Any:
    """Import what is heavy when it is first asked for (PEP 562)."""
    if name in LAZY:
        return getattr(import_module(LAZY[name]), name)
    raise AttributeError(f"module 'neptune_nas' has no attribute '{name}'")


__all__ = [
    "Architecture",
    "Attention",
    "Conv",
    "FeedForward",
    "Head",
    "Identity",
    "InvertedResidual",
    "NeptuneError",
    "Search",
    "Space",
    "Stage",
    "Stem",
    "SubStage",
    "build",
    "buildable",
    "choice",
    "integer",
    "load",
    "optional",
    "repeat",
    "tie",
    "where",
]
