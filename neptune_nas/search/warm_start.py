"""Architectures that a search is told to try first: read, and checked for feasibility."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neptune_nas.architecture.fields import record_classes, unknown_records
from neptune_nas.errors import OptionError
from neptune_nas.models.architecture_file import ExportedArchitecture, load
from neptune_nas.search.assembly import Assembly
from neptune_nas.space import Space
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted


@dataclass(frozen=True, slots=True)
class _FirstArchitecture:
    """An architecture, with its name in messages."""

    architecture: Any
    name: str


def given_in(first: Sequence[object], space: Space[Any]) -> Iterator[_FirstArchitecture]:
    """Yield the architectures that the items of `first` stand for.

    An item is an architecture, an exported one or its file, a trial, or a study or its folder,
    which stands for its front. Raises `OptionError` for a study without a front and for records
    that the space does not have, and as `load` and `read_study` do.
    """
    for i, item in enumerate(first):
        name = f"`first[{i}]`"
        match item:
            case str() | Path():
                yield from _at(Path(item), space)
            case ExportedArchitecture() | Trial():
                yield _FirstArchitecture(item.architecture, name)
            case Study():
                yield from _front(item)
            case _:
                yield _FirstArchitecture(item, name)


def _at(path: Path, space: Space[Any]) -> Iterator[_FirstArchitecture]:
    allow = tuple(record_classes(space.template))
    if path.is_dir():
        found = [*_front(read_study(path, allow=allow))]
    else:
        found = [_FirstArchitecture(load(path, allow).architecture, str(path))]
    for each in found:
        if any(unknown_records(each.architecture)):
            raise OptionError(
                f"`first`: {path} holds records that space '{space.name}' does not have: leave it "
                f"out, or search a space that has them."
            )
        yield each


def _front(study: Study) -> Iterator[_FirstArchitecture]:
    front = study.pareto()
    if not front:
        raise OptionError(f"`first`: study {study.folder} has no front yet: leave it out.")
    for trial in front:
        yield _FirstArchitecture(trial.architecture, f"trial {trial.number} of {study.folder}")


def excess_notice(given: int, left: int) -> str:
    """Return a sentence if more architectures are `given` than trials are `left`, else ""."""
    if given <= (room := max(0, left)):
        return ""
    return (
        f"`first` (--first) gives {counted(given, 'architecture')}, but `trials` (--trials) has "
        f"room for {room}: the rest is left out."
    )


def first_of(parts: Assembly) -> tuple[Any, ...]:
    """Return the architectures of `first` that the study has not tried, each network once.

    Raises `OptionError` for one that is not in the space, cannot be built, or breaks a constraint.
    """
    search = parts.search
    if not search.first:
        return ()
    tried: set[str] = set()
    if search.folder.exists:
        study = read_study(search.folder.path, search.storage, parts.records)
        tried = {trial.key for trial in study.trials}
    new: dict[str, Any] = {}
    for each in given_in(search.first, parts.space):
        if (wrong := parts.space.explain(each.architecture)) is not None:
            raise OptionError(
                f"`first`: {each.name} is not in space '{parts.space.name}': {wrong}; leave it "
                f"out, or search a space that has it."
            )
        name = parts.problem.name(each.architecture)
        if name in tried or name in new:
            continue
        if (obstacle := parts.costs.obstacle(each.architecture)) is not None:
            raise OptionError(
                f"`first`: {each.name} cannot be tried, since {obstacle}; leave it out, or loosen "
                f"the constraints."
            )
        new[name] = each.architecture
    return tuple(new.values())
