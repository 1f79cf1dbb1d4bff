"""A strategy of the user's own: the class that a name leads to, and what its mistakes are."""

import inspect
from collections.abc import Callable
from random import Random
from typing import Any, Generic, TypeVar

from optuna.samplers import BaseSampler

from neptune_nas.errors import NeptuneError, OptionError, OwnCodeError, SpaceError, file_with, said
from neptune_nas.samplers.history import History
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import Strategy
from neptune_nas.space.locate import find_named

T = TypeVar("T")


def find_class(where: str) -> type[Any]:
    """The class at `FILE.py:Class` or `package.module:Class`, of a strategy or an Optuna sampler.

    Raises `OptionError` where there is none.
    """
    try:
        found = find_named(where, f"sampler '{where}'")
    except SpaceError as error:
        raise OptionError(str(error)) from error
    if isinstance(found, type) and (issubclass(found, BaseSampler) or "problem" in takes(found)):
        return found
    raise OptionError(
        f"sampler '{where}' must be a class derived from optuna.samplers.BaseSampler, or one that "
        f"takes a `problem` and proposes architectures, but `{where.rpartition(':')[2]}` is "
        f"{'missing' if found is None else repr(found)}."
    )


def takes(make: Callable[..., object]) -> set[str]:
    """The names of what a class or function takes; of some that are built into Python, none."""
    try:
        return set(inspect.signature(make).parameters)
    except ValueError:
        return set()


class Guarded(Generic[T]):
    """A strategy whose mistakes are told in a sentence: code that fails, and what is no proposal.

    `where`: how messages name it.
    """

    def __init__(self, problem: Problem[T], strategy: Strategy[T], where: str) -> None:
        self.problem, self.strategy, self.where = problem, strategy, where

    def __call__(self, history: History[T], rng: Random, /) -> T:
        """What the strategy proposes; raises `OwnCodeError` where that is no architecture."""
        try:
            proposal = self.strategy(history, rng)
        except NeptuneError:
            raise
        except Exception as error:
            raise failure(self.where, type(self.strategy), error) from error
        if (wrong := self.problem.space.explain(proposal)) is not None:
            raise OwnCodeError(
                f"sampler '{self.where}' proposed what is not in space "
                f"'{self.problem.space.name}': {wrong}."
            )
        return proposal


def failure(where: str, cls: type[Any], error: Exception) -> OwnCodeError:
    """What code of the user's failed with, and in which line, if no code of Optuna's."""
    is_optunas = cls.__module__.startswith("optuna.")
    return OwnCodeError(
        f"sampler '{where}' failed{said(error, None if is_optunas else file_with(cls))}"
    )
