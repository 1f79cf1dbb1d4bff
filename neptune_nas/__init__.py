"""neptune-nas: neural architecture search for light image networks.

Names used in templates are light and imported at once; those that need torch or Optuna are
imported on first access.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neptune_nas.architecture.dense_heads import DecoderHead, DetectionHead, LrasppHead
from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    Identity,
    InvertedResidual,
    Network,
    Stage,
    Stem,
    SubStage,
)
from neptune_nas.errors import NeptuneError
from neptune_nas.nn.model_zoo import Pruned, TimmModel, TorchvisionModel
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
    from neptune_nas.data.dataset import tensors_of
    from neptune_nas.data.tensors import save_tensors
    from neptune_nas.evaluators.evaluator import Evaluator
    from neptune_nas.metrics.counted import CostModel
    from neptune_nas.metrics.score import Score
    from neptune_nas.models.architecture_file import load, save
    from neptune_nas.models.model import load_model, save_model
    from neptune_nas.nn.builder import build
    from neptune_nas.report.figures import plot
    from neptune_nas.report.notebook import study_page
    from neptune_nas.retrain.run import Training
    from neptune_nas.search.config import Search
    from neptune_nas.search.coordinator import StopSearch
    from neptune_nas.search.resume import search_of
    from neptune_nas.study.confirmation import Goal
    from neptune_nas.study.export import export_trial
    from neptune_nas.study.read import read_study
    from neptune_nas.training.recipe import Recipe
    from neptune_nas.trust.audit import run_audit
    from neptune_nas.trust.baselines import run_baselines
    from neptune_nas.trust.confirm import run_confirm
    from neptune_nas.trust.evidence import Evidence, add_evidence
    from neptune_nas.trust.references import run_references

__version__ = "0.1.0"

LAZY = {
    "CostModel": "neptune_nas.metrics.counted",
    "Evaluator": "neptune_nas.evaluators.evaluator",
    "Evidence": "neptune_nas.trust.evidence",
    "Goal": "neptune_nas.study.confirmation",
    "Recipe": "neptune_nas.training.recipe",
    "Score": "neptune_nas.metrics.score",
    "Search": "neptune_nas.search.config",
    "StopSearch": "neptune_nas.search.coordinator",
    "Training": "neptune_nas.retrain.run",
    "add_evidence": "neptune_nas.trust.evidence",
    "build": "neptune_nas.nn.builder",
    "export_trial": "neptune_nas.study.export",
    "load": "neptune_nas.models.architecture_file",
    "load_model": "neptune_nas.models.model",
    "plot": "neptune_nas.report.figures",
    "read_study": "neptune_nas.study.read",
    "run_audit": "neptune_nas.trust.audit",
    "run_baselines": "neptune_nas.trust.baselines",
    "run_confirm": "neptune_nas.trust.confirm",
    "run_references": "neptune_nas.trust.references",
    "save": "neptune_nas.models.architecture_file",
    "save_model": "neptune_nas.models.model",
    "save_tensors": "neptune_nas.data.tensors",
    "search_of": "neptune_nas.search.resume",
    "study_page": "neptune_nas.report.notebook",
    "tensors_of": "neptune_nas.data.dataset",
}


def __getattr__(name: str) -> Any:
    """Import heavy names on first access (PEP 562)."""
    if name in LAZY:
        return getattr(import_module(LAZY[name]), name)
    raise AttributeError(f"module 'neptune_nas' has no attribute '{name}'")


def __dir__() -> list[str]:
    """List the public names, including those not imported yet."""
    return sorted(__all__)


__all__ = [
    "Architecture",
    "Attention",
    "Conv",
    "CostModel",
    "DecoderHead",
    "DetectionHead",
    "Evaluator",
    "Evidence",
    "FeedForward",
    "Goal",
    "Head",
    "Identity",
    "InvertedResidual",
    "LrasppHead",
    "NeptuneError",
    "Network",
    "Pruned",
    "Recipe",
    "Score",
    "Search",
    "Space",
    "Stage",
    "Stem",
    "StopSearch",
    "SubStage",
    "TimmModel",
    "TorchvisionModel",
    "Training",
    "add_evidence",
    "build",
    "buildable",
    "choice",
    "export_trial",
    "find_space",
    "integer",
    "load",
    "load_model",
    "optional",
    "plot",
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
    "study_page",
    "tensors_of",
    "tie",
    "where",
]
