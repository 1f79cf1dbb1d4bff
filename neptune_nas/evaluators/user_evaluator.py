"""The user's evaluators by name: `FILE.py:Class` or `package.module:Class`."""

from collections.abc import Mapping
from typing import Any

from neptune_nas.errors import NeptuneError, OptionError, description
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.files.schema import cut
from neptune_nas.space.locate import find_named, place_of


def make_evaluator(where: str, options: Mapping[str, Any]) -> Evaluator:
    """Return an instance of the evaluator class `where`, constructed with `options`.

    Raises `OptionError` for a name that is not a class and for options that its constructor
    refuses, and `SpaceError` where the code behind the name is missing or fails.
    """
    made = _class_at(where)
    try:
        evaluator: Evaluator = made(**options)
    except NeptuneError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise OptionError(
            f"evaluator '{where}' refuses {cut(dict(options))}: {description(error)}"
        ) from error
    if not callable(evaluator):
        raise OptionError(
            f"evaluator '{where}' must have a method "
            f"`__call__(self, architecture, fidelity, seed)`, but cannot be called: define it."
        )
    return evaluator


def _class_at(where: str) -> type:
    """Import the code that a name points to, and return its class."""
    found = find_named(where, f"evaluator '{where}'", "must be a class")
    if not isinstance(found, type):
        raise OptionError(
            f"evaluator '{where}' must be a class, but `{place_of(where)[1]}` is {cut(found)}."
        )
    return found
