"""Samplers by name: ours, Optuna's, or a user's as `FILE.py:Class` or `package.module:Class`."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from optuna import samplers
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from neptune_nas.errors import NeptuneError, OptionError, one_of
from neptune_nas.samplers.auto import Auto
from neptune_nas.samplers.classic import Evolution, LocalSearch, Nsga2, RandomSearch
from neptune_nas.samplers.own import Guarded, failure, find_class, takes
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
    """Return the sampler `name` for a problem; `options` are further arguments of its constructor.

    Ours (auto, evolution, local, nsga2, random) propose whole architectures; Optuna's own
    (brute-force, gp, nsga3, qmc, tpe) see one parameter per decision. A user's class is one or the
    other: an Optuna sampler, or a `Strategy` that takes the `problem`. Raises `OptionError` for an
    unknown name or option, and for a value of the wrong type or out of range.
    """
    check_name(name)
    options = options or {}
    if name in OURS:
        return SpaceSampler(problem, built(name, OURS[name], {"problem": problem}, options))
    if name in OPTUNAS:
        cls, usual = OPTUNAS[name]
        made: BaseSampler = built(name, cls, {"seed": problem.seed, **usual}, options)
        return made
    return foreign(name, problem, options)


def check_name(name: str) -> None:
    """Refuse the name of no sampler; it does not check whether a user's class exists."""
    if name not in OURS and name not in OPTUNAS and ":" not in name:
        raise OptionError(
            f"sampler '{name}' is unknown: {one_of([*OURS, *OPTUNAS], name)} "
            f"A class of your own works as FILE.py:Class or package.module:Class."
        )


def built(
    name: str, make: Callable[..., T], given: Mapping[str, Any], options: Mapping[str, Any]
) -> T:
    """Call `make` with the options and the `given` arguments it takes; refuse unknown options."""
    taken = takes(make)
    known = taken - {"problem", "self"}
    for option in options:
        if option not in known:
            has = one_of(known, option) if known else "it takes none."
            raise OptionError(f"sampler '{name}' has no option `{option}`: {has}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # asking by name is consent
            return make(**{**{k: v for k, v in given.items() if k in taken}, **options})
    except (TypeError, ValueError, OptionError) as error:
        raise OptionError(f"sampler '{name}' refuses {dict(options)!r}: {error}") from error


def short_name(sampler: BaseSampler) -> str:
    """Return the name of an Optuna sampler here, such as `tpe`, or the name of its class."""
    cls = type(sampler)
    return next((name for name, (known, _) in OPTUNAS.items() if known is cls), cls.__name__)


def foreign(where: str, problem: Problem[Any], options: Mapping[str, Any]) -> BaseSampler:
    """Return the sampler of a user's class, given the problem and seed as far as it takes them."""
    cls, given = find_class(where), {"problem": problem, "seed": problem.seed}
    try:
        made = built(where, cls, given, options)
    except NeptuneError:
        raise
    except Exception as error:
        raise failure(where, cls, error) from error
    if isinstance(made, BaseSampler):
        return made
    if not callable(made):
        raise OptionError(
            f"sampler '{where}' must propose architectures when it is called, as "
            f"`__call__(self, history, rng)`, but it cannot be called."
        )
    return SpaceSampler(problem, Guarded(problem, made, where))
