"""neptune-nas: neural architecture search for light image networks.

What a template is written with is imported at once and is light; what needs torch or Optuna is
imported when it is first asked for.
"""

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

__version__ = "0.1.0"

__all__ = [
    "Architecture",
    "Attention",
    "Conv",
    "FeedForward",
    "Head",
    "Identity",
    "InvertedResidual",
    "NeptuneError",
    "Space",
    "Stage",
    "Stem",
    "SubStage",
    "buildable",
    "choice",
    "integer",
    "optional",
    "repeat",
    "tie",
    "where",
]
