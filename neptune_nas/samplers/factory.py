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
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import SpaceSampler, Strategy
from neptune_nas.samplers.user_strategy import Guarded, failure, find_class, parameter_names

T = TypeVar("T")

OWN_SAMPLERS: Mapping[str, Callable[..., Strategy[Any]]] = {
    "auto": Auto,
    "evolution": Evolution,
    "local": LocalSearch,
    "nsga2": Nsga2,
    "random": RandomSearch,
}
OPTUNA_SAMPLERS: Mapping[str, tuple[type[BaseSampler], Mapping[str, Any]]] = {
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
    if name in OWN_SAMPLERS:
        return SpaceSampler(
            problem, _make_checked(name, OWN_SAMPLERS[name], {"problem": problem}, options)
        )
    if name in OPTUNA_SAMPLERS:
        cls, usual = OPTUNA_SAMPLERS[name]
        made: BaseSampler = _make_checked(name, cls, {"seed": problem.seed, **usual}, options)
        return made
    return _make_user_sampler(name, problem, options)


def check_name(name: str) -> None:
    """Refuse the name of no sampler; it does not check whether a user's class exists."""
    if name not in OWN_SAMPLERS and name not in OPTUNA_SAMPLERS and ":" not in name:
        raise OptionError(
            f"sampler '{name}' is unknown: {one_of([*OWN_SAMPLERS, *OPTUNA_SAMPLERS], name)} "
            f"A class of your own works as FILE.py:Class or package.module:Class."
        )


def _make_checked(
    name: str, make: Callable[..., T], given: Mapping[str, Any], options: Mapping[str, Any]
) -> T:
    """Call `make` with the options and the `given` arguments it takes; refuse unknown options."""
    taken = parameter_names(make)
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
    return next(
        (name for name, (known, _) in OPTUNA_SAMPLERS.items() if known is cls), cls.__name__
    )


def _make_user_sampler(
    where: str, problem: Problem[Any], options: Mapping[str, Any]
) -> BaseSampler:
    """Return the sampler of a user's class, given the problem and seed as far as it takes them."""
    cls, given = find_class(where), {"problem": problem, "seed": problem.seed}
    try:
        made = _make_checked(where, cls, given, options)
    except NeptuneError:
        raise
    except (Exception, SystemExit) as error:
        raise failure(where, cls, error) from error
    if isinstance(made, BaseSampler):
        return made
    if not callable(made):
        raise OptionError(
            f"sampler '{where}' must have a method "
            f"`__call__(self, history, rng)`, but cannot be called: define it."
        )
    return SpaceSampler(problem, Guarded(problem, made, where))
