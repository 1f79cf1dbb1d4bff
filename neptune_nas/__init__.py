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
from neptune_nas.space import (
    Space,
    buildable,
    choice,
    find_space,
    integer,
    optional,
    repeat,
    tie,
    where,
)

if TYPE_CHECKING:
    from neptune_nas.again import search_of
    from neptune_nas.architecture_file import export_trial, load, save
    from neptune_nas.audit import run_audit
    from neptune_nas.baseline import run_baselines
    from neptune_nas.builder import build
    from neptune_nas.confirm import run_confirm
    from neptune_nas.cost import CostModel
    from neptune_nas.data.dataset import tensors_of
    from neptune_nas.data.tensors import save_tensors
    from neptune_nas.evaluate.evaluator import Evaluator
    from neptune_nas.full_training.run import Training
    from neptune_nas.hand_designed import run_references
    from neptune_nas.model import load_model, save_model
    from neptune_nas.search import Search
    from neptune_nas.searching.coordinator import StopSearch
    from neptune_nas.study.confirmation import Goal
    from neptune_nas.study.read import read_study
    from neptune_nas.training.recipe import Recipe
    from neptune_nas.trial import Score

__version__ = "0.1.0"

LAZY = {
    "CostModel": "neptune_nas.cost",
    "Evaluator": "neptune_nas.evaluate.evaluator",
    "Goal": "neptune_nas.study.confirmation",
    "Recipe": "neptune_nas.training.recipe",
    "Score": "neptune_nas.trial",
    "Search": "neptune_nas.search",
    "StopSearch": "neptune_nas.searching.coordinator",
    "Training": "neptune_nas.full_training.run",
    "build": "neptune_nas.builder",
    "export_trial": "neptune_nas.architecture_file",
    "load": "neptune_nas.architecture_file",
    "load_model": "neptune_nas.model",
    "read_study": "neptune_nas.study.read",
    "run_audit": "neptune_nas.audit",
    "run_baselines": "neptune_nas.baseline",
    "run_confirm": "neptune_nas.confirm",
    "run_references": "neptune_nas.hand_designed",
    "save": "neptune_nas.architecture_file",
    "save_model": "neptune_nas.model",
    "save_tensors": "neptune_nas.data.tensors",
    "search_of": "neptune_nas.again",
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
    "CostModel",
    "Evaluator",
    "FeedForward",
    "Goal",
    "Head",
    "Identity",
    "InvertedResidual",
    "NeptuneError",
    "Recipe",
    "Score",
    "Search",
    "Space",
    "Stage",
    "Stem",
    "StopSearch",
    "SubStage",
    "Training",
    "build",
    "buildable",
    "choice",
    "export_trial",
    "find_space",
    "integer",
    "load",
    "load_model",
    "optional",
    "read_study",
    "repeat",
    "run_audit",
    "run_baselines",
    "run_confirm",
    "run_references",
    "save",
    "save_model",
    "save_tensors",
    "search_of",
    "tensors_of",
    "tie",
    "where",
]
