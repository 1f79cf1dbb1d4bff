"""An evaluator of the user's own by name: `FILE.py:Class` or `package.module:Class`."""

from collections.abc import Mapping
from typing import Any

from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.space.locate import find_named


def make_evaluator(where: str, options: Mapping[str, Any]) -> Evaluator:
    """The evaluator of the class that `where` names; `options` are its constructor's arguments.

    Raises `OptionError` for a name of no class and for what its constructor refuses, and
    `SpaceError` where the code behind the name is missing or fails.
    """
    made = class_at(where)
    try:
        evaluator: Evaluator = made(**options)
    except NeptuneError:
        raise
    except Exception as error:  # of the user's own code
        raise OptionError(
            f"evaluator '{where}' refuses {dict(options)!r}: {type(error).__name__}: {error}"
        ) from error
    return evaluator


def class_at(where: str) -> type:
    """The class that a name leads to, whose code is run."""
    place, _, name = where.rpartition(":")
    in_file = place.endswith(".py")
    if not name.isidentifier() or not (in_file or all(map(str.isidentifier, place.split(".")))):
        raise OptionError(
            f"evaluator '{where}' must be named as FILE.py:Class or package.module:Class."
        )
    found = find_named(where, f"evaluator '{where}'")
    if not isinstance(found, type):
        raise OptionError(
            f"evaluator '{where}' must be a class, but `{name}` "
            f"{'is missing' if found is None else f'is {found!r}'}."
        )
    return found
