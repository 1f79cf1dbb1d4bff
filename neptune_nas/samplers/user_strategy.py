"""Users' strategies: how their class is found, and how their failures are reported."""

import inspect
from collections.abc import Callable
from random import Random
from typing import Any, Generic, TypeVar

from optuna.samplers import BaseSampler

from neptune_nas.errors import (
    NeptuneError,
    OptionError,
    OwnCodeError,
    SpaceError,
    failure_text,
    file_with,
)
from neptune_nas.files.schema import cut
from neptune_nas.samplers.history import History
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import Strategy
from neptune_nas.space.locate import find_named, place_of

T = TypeVar("T")


def find_class(where: str) -> type[Any]:
    """Return the class of a strategy or Optuna sampler, `FILE.py:Class` or `package.module:Class`.

    Raises `OptionError` if there is none.
    """
    rule = (
        "must be a class derived from optuna.samplers.BaseSampler, or one that takes a `problem` "
        "and proposes architectures"
    )
    try:
        found = find_named(where, f"sampler '{where}'", rule)
    except SpaceError as error:
        raise OptionError(str(error)) from error
    if isinstance(found, type) and (
        issubclass(found, BaseSampler) or "problem" in parameter_names(found)
    ):
        return found
    raise OptionError(f"sampler '{where}' {rule}, but `{place_of(where)[1]}` is {cut(found)}.")


def parameter_names(make: Callable[..., object]) -> set[str]:
    """Return the parameter names of a class or function; none if Python cannot tell."""
    try:
        return set(inspect.signature(make).parameters)
    except ValueError:
        return set()


class Guarded(Generic[T]):
    """A strategy whose failures are reported in one sentence: errors, and invalid proposals.

    `where`: its name in messages.
    """

    def __init__(self, problem: Problem[T], strategy: Strategy[T], where: str) -> None:
        self.problem, self.strategy, self.where = problem, strategy, where

    def __call__(self, history: History[T], rng: Random, /) -> T:
        """Return the strategy's proposal; raises `OwnCodeError` if that is no architecture."""
        try:
            proposal = self.strategy(history, rng)
        except NeptuneError:
            raise
        except (Exception, SystemExit) as error:
            raise failure(self.where, type(self.strategy), error) from error
        if (wrong := self.problem.space.explain(proposal)) is not None:
            raise OwnCodeError(
                f"sampler '{self.where}' proposed what is not in space "
                f"'{self.problem.space.name}': {wrong}."
            )
        return proposal


def failure(where: str, cls: type[Any], error: BaseException) -> OwnCodeError:
    """Return the error for a failure of a user's code, with the line unless in Optuna's code."""
    is_optunas = cls.__module__.startswith("optuna.")
    return OwnCodeError(
        f"sampler '{where}' failed{failure_text(error, None if is_optunas else file_with(cls))}"
    )
