"""The provenance of a study: its space, data and machine, and whether a search agrees."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from neptune_nas import __version__
from neptune_nas.devices.processor import hardware
from neptune_nas.errors import ArchitectureError, StudyError
from neptune_nas.evaluators.bench import Bench
from neptune_nas.metrics.registry import COUNTED
from neptune_nas.space import Space
from neptune_nas.study.folder import Folder, read_settings, write_settings
from neptune_nas.study.settings import Facts, Settings, question_differences
from neptune_nas.study.trial import Trial
from neptune_nas.text import as_typed

_PACKAGES = ("torch", "optuna", "numpy")
_CHECKED = ("data_fingerprint", "input_shape", "classes")


def provenance(space: Space[Any], bench: Bench, reference: tuple[float, ...]) -> Facts:
    """Return the current facts about a space, the data measured on, and this machine."""
    count = space.count()
    interval = "" if count.is_exact else f" ({count.low} to {count.high})"
    return Facts(
        space_name=space.name,
        space_size=f"{count.value}{interval}",
        space_fingerprint=space.fingerprint,
        data_fingerprint=bench.fingerprint,
        input_shape=bench.input_shape,
        classes=bench.classes,
        images=bench.images,
        guess=dict(bench.guess),
        reference=reference,
        device="cpu",
        hardware=hardware(),
        created=now(),
        versions=versions(),
        outline=space.outline,
        source=bench.source,
    )


def settings_for(folder: Folder, asked: Settings) -> Settings:
    """Return the settings to search by: those on disk if they agree with `asked`, else `asked`.

    Raises `StudyError` that names the first difference from what the study began with.
    """
    if not folder.exists:
        return asked
    old = read_settings(folder.settings)
    for what, now, then in _differences(old, asked):
        raise StudyError(
            f"study {folder.path} was started with {what} {as_typed(then)}, but now it is "
            f"{as_typed(now)}: give this search another `name` (--study-name), or use the "
            f"study's value."
        )
    versions = asked.facts.versions
    return replace(old, trials=asked.trials, facts=replace(old.facts, versions=versions))


def _differences(old: Settings, asked: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Yield the contradictions between what a study began with and the present settings."""
    then, now = old.facts, asked.facts
    if asked.storage and asked.storage != old.storage:
        yield "storage", asked.storage, old.storage or "study.db"
    yield from question_differences(old.question, asked.question)
    for path in dict.fromkeys([*then.outline, *now.outline]):
        if now.outline.get(path) != then.outline.get(path):
            ours, theirs = (facts.outline.get(path) or "not there" for facts in (now, then))
            yield f"`{path}` of the space as", ours, theirs
    for field in _CHECKED:
        if getattr(now, field) != getattr(then, field):
            yield field.replace("_", " "), getattr(now, field), getattr(then, field)
    if now.numerics not in (None, then.numerics):
        yield "precision and layout", str(now.numerics), str(then.numerics)
    for name in dict.fromkeys([*then.timed, *now.timed]):
        if now.timed.get(name) != then.timed.get(name):
            ours, theirs = (facts.timed.get(name, "not timed") for facts in (now, then))
            yield name, ours, theirs


def write_if_new(folder: Folder, settings: Settings) -> None:
    """Write the settings unless the file exists."""
    if not folder.exists or read_settings(folder.settings) != settings:
        write_settings(folder, settings)


def check_costs(
    folder: Path, trials: Iterable[Trial], count: Callable[[Any], Mapping[str, float]]
) -> None:
    """Refuse a study if an exact cost of one of its trials differs from the stored one.

    `count`: returns the counted costs of an architecture now. Raises `StudyError` for the first
    such trial.
    """
    for trial in trials:
        try:
            now = count(trial.architecture)
        except ArchitectureError as error:
            why = str(error).rstrip(".")
            raise _changed(folder, trial, f"cannot be counted now ({why})") from error
        for each in COUNTED:
            then = trial.values.get(each.name)
            if then is not None and now.get(each.name, then) != then:
                how = f"had {then:,.10g} {each.title}, but now {now[each.name]:,.10g}"
                raise _changed(folder, trial, how)


def _changed(folder: Path, trial: Trial, how: str) -> StudyError:
    return StudyError(
        f"trial {trial.number} of study {folder} {how}: the code that builds it, or its table, has "
        f"changed since; undo that, or start a study with another `name` (--study-name)."
    )


def now() -> str:
    """Return the current time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of software that a score may depend on."""
    ours = {"python": platform.python_version(), "neptune-nas": __version__}
    return {**ours, **{package: version(package) for package in _PACKAGES}}
