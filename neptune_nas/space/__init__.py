"""The search-space language: an architecture with open fields."""

from neptune_nas.space.language import buildable, choice, integer, optional, repeat, tie, where
from neptune_nas.space.locate import find_space, list_spaces
from neptune_nas.space.nodes import RejectedError
from neptune_nas.space.space import Count, Space
from neptune_nas.space.walk import Decision, Picks

__all__ = [
    "Count",
    "Decision",
    "Picks",
    "RejectedError",
    "Space",
    "buildable",
    "choice",
    "find_space",
    "integer",
    "list_spaces",
    "optional",
    "repeat",
    "tie",
    "where",
]
