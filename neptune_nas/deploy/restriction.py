"""The part of a search space that a runtime has int8 kernels for.

Nothing is listed here: a small Stage with the option in question is lowered on the meta device.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import torch

from neptune_nas.architecture.fields import is_closed, is_record, values_of
from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.deploy.targets import Target
from neptune_nas.errors import ArchitectureError, SpaceError
from neptune_nas.files.schema import located
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.lowering import UnsupportedOperationError, lower
from neptune_nas.nn.builder import build_stage
from neptune_nas.space import Space
from neptune_nas.space.compiler import Compiler
from neptune_nas.space.moves import all_values
from neptune_nas.space.pruning import NOTHING, prune

_SIDE = 8  # pixels of the map that a Stage is lowered for
_VERSIONS = 64  # of a record with open fields that are tried
_FIELDS = ("norm", "pool", "entry", "substages")
_INT8 = Target("int8", "whatever runs a network in int8")
_NAMED = frozenset({"norm", "pool"})  # fields whose values need the field's name to be understood


def restrict_for(
    space: Space[Any], target: Target | None, *, in_int8: bool
) -> tuple[Space[Any], str]:
    """Return the part of a space that a search visits, and a sentence on the rest.

    `target`: what is searched for, if anything. `in_int8`: whether networks are scored in int8,
    which needs the kernels whatever runs them. Raises as `restrict` does.
    """
    if in_int8 and not (target and target.is_lowered):
        target = _INT8
    return restrict(space, target) if target else (space, "")


def restrict(space: Space[Any], target: Target) -> tuple[Space[Any], str]:
    """Return the part of a space that can run in int8 on a target, and a sentence on the rest.

    The sentence is empty where nothing is left out. Networks that a user's record builds as a whole
    stay in: their costs say what has no kernel. Raises `SpaceError` where nothing is left.
    """
    if not target.is_lowered:
        return space, ""
    kernels = _Kernels(space.name)
    template = prune(space.template, kernels.architecture)
    nothing = f"space '{space.name}' has nothing that runs in int8 on {target.name}"
    if template is NOTHING:
        raise SpaceError(
            f"{nothing}: every Stage has {kernels.obstacle}, which {target.runtime} has no kernel "
            f"for; take `space` (--space) micro."
        )
    if not kernels.left_out:
        return space, ""
    left_out = ", ".join(kernels.names)
    with located(f"{nothing} without {left_out}", SpaceError):  # its rules may leave nothing
        rest = replace(space, template=template)
    return rest, f"Left out, since {target.runtime} has no int8 kernel for them: {left_out}."


class _Kernels:
    """Prunes templates of architectures to what there are kernels for.

    `left_out`: the values that were left out, by field. `obstacle`: in words, what all options of
    the last Stage that was left out have.
    """

    def __init__(self, space: str) -> None:
        self.space = space
        self.known: dict[tuple[str, object], bool] = {}
        self.obstacle = ""

    @property
    def left_out(self) -> list[tuple[str, Any]]:
        """The values without a kernel, each with its field."""
        return [place for place, has_one in self.known.items() if not has_one]

    @property
    def names(self) -> list[str]:
        """A description of what was left out."""
        return _names(self.left_out, [place for place, has_one in self.known.items() if has_one])

    def architecture(self, template: object) -> object:
        """Return what is left of a template of an architecture."""
        if not isinstance(template, Architecture):
            return template
        stages: Any = prune(template.stages, self.stage)
        return NOTHING if stages is NOTHING else replace(template, stages=stages)

    def stage(self, template: Any) -> object:
        """Return what is left of a template of a Stage."""
        left: dict[str, Any] = {}
        for name in _FIELDS:
            left[name] = prune(getattr(template, name), partial(self.option, template, name))
            if left[name] is NOTHING:
                without = [place for place in self.left_out if place[0] == name]
                self.obstacle = " or ".join(", ".join(_names(without, [])).rsplit(", ", 1))
                return NOTHING
        return replace(template, **left)

    def option(self, stage: Any, name: str, option: Any) -> object:
        """Return what is left of an option of a field of a Stage."""
        versions = list(_versions(option, self.space))
        if all(self.has_kernel(stage, name, each) for each in _covering(versions)):
            return option
        some = [each for each in versions if self.has_kernel(stage, name, each)]
        if not some:
            return NOTHING
        return _without_values(option, [each for each in versions if each not in some], some)

    def has_kernel(self, stage: Any, name: str, value: Any) -> bool:
        """Return whether a Stage with a value in a field can be lowered, in a width that fits."""
        place = name, value
        if place not in self.known:
            part = (value,) if name == "substages" else value
            tried = (_can_be_lowered(width, name, part) for width in _versions(stage.width, ""))
            self.known[place] = next((each for each in tried if each is not None), True)
        return self.known[place]


@lru_cache(1_000)
def _can_be_lowered(width: int, name: str, value: Any) -> bool | None:
    """Return whether a Stage with a value in a field can be lowered; None if it cannot be built."""
    try:
        parts = (Conv(),) if name == "norm" else ()  # which each have one
        usual = Stage(width=width, entry=Conv(1), pool="none", norm="batch", substages=parts)
        with torch.device("meta"):
            block = build_stage(replace(usual, **{name: value}), width)
        fuse(lower(block, torch.empty(1, width, _SIDE, _SIDE, device="meta")))
    except UnsupportedOperationError:
        return False
    except ArchitectureError:  # heads that do not divide the width, say
        return None
    except Exception:  # in a user's code: its costs will say why, and where
        return None
    return True


def _versions(template: object, space: str) -> Iterator[Any]:
    """Yield the values of a template, at most a few."""
    if is_closed(template):
        return iter((template,))
    return islice(all_values(Compiler(space).compile(template)), _VERSIONS)


def _covering(versions: list[Any]) -> Iterator[Any]:
    """Yield versions of a record such that each value of each field is in one of them."""
    seen: set[tuple[str, object]] = set()
    for each in versions:
        values = {*values_of(each).items()} or {("", each)}
        if not values <= seen:
            seen |= values
            yield each


def _without_values(record: Any, without: list[Any], others: list[Any]) -> object:
    """Return a record without those options of its fields that only versions without a kernel have.

    `others`: versions with a kernel.
    """

    def kept(name: str, value: object) -> object:
        is_in, is_elsewhere = (
            any(getattr(each, name) == value for each in versions) for versions in (without, others)
        )
        return NOTHING if is_in and not is_elsewhere and not is_record(value) else value

    left = {name: prune(value, partial(kept, name)) for name, value in values_of(record).items()}
    return replace(record, **left)


def _names(places: list[tuple[str, Any]], others: list[tuple[str, Any]]) -> list[str]:
    """Return values without a kernel in words; `others`: those with one.

    A record is named by its class, if no other of its class has a kernel, else as it is written.
    """
    classes = {type(value) for _, value in others}
    records = [value for name, value in places if name not in _NAMED]
    names = [repr(each) if type(each) in classes else type(each).__name__ for each in records]
    for field in sorted(_NAMED):
        values = [str(value) for name, value in places if name == field]
        names += [f"{field} {', '.join(values)}"] if values else []
    return [*dict.fromkeys(names)]
