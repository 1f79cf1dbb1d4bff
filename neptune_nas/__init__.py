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
    from neptune_nas.architecture_file import export_trial, load, save
    from neptune_nas.data.dataset import tensors_of
    from neptune_nas.data.tensors import save_tensors
    from neptune_nas.full_training.run import Training
    from neptune_nas.model import load_model, save_model
    from neptune_nas.search import Search
    from neptune_nas.searching.coordinator import StopSearch
    from neptune_nas.study.read import read_study

__version__ = "0.1.0"

LAZY = {
    "Search": "neptune_nas.search",
    "StopSearch": "neptune_nas.searching.coordinator",
    "Training": "neptune_nas.full_training.run",
    "export_trial": "neptune_nas.architecture_file",
    "load": "neptune_nas.architecture_file",
    "load_model": "neptune_nas.model",
    "read_study": "neptune_nas.study.read",
    "save": "neptune_nas.architecture_file",
    "save_model": "neptune_nas.model",
    "save_tensors": "neptune_nas.data.tensors",
    "tensors_of": "neptune_nas.data.dataset",
}


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
    "StopSearch",
    "SubStage",
    "Training",
    "buildable",
    "choice",
    "export_trial",
    "integer",
    "load",
    "load_model",
    "optional",
    "read_study",
    "repeat",
    "save",
    "save_model",
    "save_tensors",
    "tensors_of",
    "tie",
    "where",
]
