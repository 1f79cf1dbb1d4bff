"""Samplers by name: ours, Optuna's, or anyone's as `module:Class`."""

import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from optuna import samplers
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from neptune_nas.errors import OptionError, one_of
from neptune_nas.samplers.auto import Auto
from neptune_nas.samplers.classic import Evolution, LocalSearch, Nsga2, RandomSearch
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import SpaceSampler, Strategy

T = TypeVar("T")

OURS: Mapping[str, Callable[..., Strategy[Any]]] = {
    "auto": Auto,
    "evolution": Evolution,
    "local": LocalSearch,
    "nsga2": Nsga2,
    "random": RandomSearch,
}
OPTUNAS: Mapping[str, tuple[type[BaseSampler], Mapping[str, Any]]] = {
    "brute-force": (samplers.BruteForceSampler, {}),
    "gp": (samplers.GPSampler, {}),
    "nsga3": (samplers.NSGAIIISampler, {}),
    "qmc": (samplers.QMCSampler, {"warn_independent_sampling": False}),
    "tpe": (samplers.TPESampler, {"multivariate": True, "group": True, "constant_liar": True}),
}


def make_sampler(
    name: str, problem: Problem[Any], options: Mapping[str, Any] | None = None
) -> BaseSampler:
    """The sampler `name` for a problem; `options` are further arguments of its constructor.

    Ours (auto, evolution, local, nsga2, random) propose whole architectures; Optuna's own
    (brute-force, gp, nsga3, qmc, tpe) see one parameter a decision. Raises `OptionError` for an
    unknown name or option.
    """
    check_name(name)
    options = options or {}
    if name in OURS:
        return SpaceSampler(problem, built(name, OURS[name], {"problem": problem}, options))
    if name in OPTUNAS:
        cls, usual = OPTUNAS[name]
        made: BaseSampler = built(name, cls, {"seed": problem.seed, **usual}, options)
        return made
    return foreign(name, problem.seed, options)


def check_name(name: str) -> None:
    """Refuse a name that is no sampler's; whether there is a class of the user's is seen later."""
    if name not in OURS and name not in OPTUNAS and ":" not in name:
        raise OptionError(
            f"sampler '{name}' is unknown: {one_of([*OURS, *OPTUNAS], name)} "
            f"A class of your own works as package.module:Class."
        )


def built(
    name: str, make: Callable[..., T], given: Mapping[str, Any], options: Mapping[str, Any]
) -> T:
    """Call `make`, which takes the options by these names or is not called at all."""
    takes = set(inspect.signature(make).parameters)
    for option in options:
        if option not in takes - {"problem", "self"}:
            raise OptionError(
                f"sampler '{name}' has no option `{option}`: "
                f"{one_of(takes - {'problem', 'self'}, option)}"
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # who asks for it by name knows
            return make(**{**{k: v for k, v in given.items() if k in takes}, **options})
    except (TypeError, ValueError) as error:
        raise OptionError(f"sampler '{name}' refuses {dict(options)!r}: {error}") from error


def foreign(where: str, seed: int, options: Mapping[str, Any]) -> BaseSampler:
    """An Optuna sampler of the user's, as `package.module:Class`."""
    module, _, name = where.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise OptionError(
            f"sampler '{where}': {error}; is it installed or on PYTHONPATH?"
        ) from error
    if not (isinstance(found, type) and issubclass(found, BaseSampler)):
        raise OptionError(
            f"sampler '{where}' must be a class derived from optuna.samplers.BaseSampler, "
            f"but `{name}` is {found!r}."
        )
    made: BaseSampler = built(where, found, {"seed": seed}, options)
    return made
