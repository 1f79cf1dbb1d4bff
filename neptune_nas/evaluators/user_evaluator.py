"""The user's own evaluators by name: `FILE.py:Class` or `package.module:Class`."""

from collections.abc import Mapping
from typing import Any

from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.space.locate import find_named


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
    except Exception as error:  # the user's own code may raise anything
        raise OptionError(
            f"evaluator '{where}' refuses {dict(options)!r}: {type(error).__name__}: {error}"
        ) from error
    return evaluator


def _class_at(where: str) -> type:
    """Import the code that a name points to, and return its class."""
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
