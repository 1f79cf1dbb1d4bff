"""Opening a study to search in it: a new one with its facts found, or an old one gone on with."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from neptune_nas import __version__
from neptune_nas.devices.mode import Modes
from neptune_nas.engine.plan import usable_cores
from neptune_nas.errors import StudyError
from neptune_nas.search.ground import Ground
from neptune_nas.space import Space
from neptune_nas.study.folder import Folder, read_settings, write_settings
from neptune_nas.study.settings import Facts, Question, Settings, unlike
from neptune_nas.text import as_typed, counted

PACKAGES = ("torch", "optuna", "numpy")
CHECKED = ("data_fingerprint", "input_shape", "classes")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command asks of a study: its total of trials, its question, and where both go.

    `name`: of a new study; one that is there keeps its own, wherever its folder went. `storage`: a
    database's URL without its password; empty asks for the one that the study has.
    """

    name: str
    trials: int
    question: Question
    storage: str = ""


def facts_of(
    space: Space[Any],
    ground: Ground,
    reference: tuple[float, ...],
    device: str,
    modes: Modes | None,
) -> Facts:
    """What is found about a space and what it is measured on, on this machine and now."""
    count = space.count()
    interval = "" if count.is_exact else f" ({count.low} to {count.high})"
    return Facts(
        space_name=space.name,
        space_size=f"{count.value}{interval}",
        space_fingerprint=space.fingerprint,
        data_fingerprint=ground.fingerprint,
        input_shape=ground.input_shape,
        classes=ground.classes,
        images=ground.images,
        chance=ground.chance[ground.task.metrics[0]],
        reference=reference,
        device=device,
        hardware=hardware(),
        created=now(),
        versions=versions(),
        outline=space.outline,
        modes=modes,
    )


def settle_settings(folder: Folder, asked: Asked, facts: Facts) -> Settings:
    """The settings to search by: those on disk if they agree with what is asked, else new ones.

    `facts`: about the space and the data as they are now.
    Raises `StudyError` naming the first difference to what the study began with.
    """
    if not folder.exists:
        return Settings(asked.name, asked.trials, asked.question, facts, asked.storage)
    old = read_settings(folder.settings)
    for what, ours, theirs in differences(old, asked, facts):
        raise StudyError(
            f"study {folder.path} was begun with {what} {as_typed(theirs)}, but now it is "
            f"{as_typed(ours)}: give this search another `name` (--study-name), or ask for what "
            f"the study has."
        )
    return replace(old, trials=asked.trials, facts=replace(old.facts, versions=facts.versions))


def differences(old: Settings, asked: Asked, facts: Facts) -> Iterator[tuple[str, Any, Any]]:
    """What a study began with and what is asked of it now, where they contradict each other."""
    if asked.storage and asked.storage != old.storage:
        yield "storage", asked.storage, old.storage or "study.db"
    yield from unlike(old.question, asked.question)
    paths = dict.fromkeys([*old.facts.outline, *facts.outline])
    for path in paths:
        ours, theirs = facts.outline.get(path), old.facts.outline.get(path)
        if ours != theirs:
            yield f"`{path}` of the space as", ours or "not there", theirs or "not there"
    for field in CHECKED:
        ours, theirs = getattr(facts, field), getattr(old.facts, field)
        if ours != theirs:
            yield field.replace("_", " "), ours, theirs
    if facts.modes not in (None, old.modes):
        yield "modes", str(facts.modes), str(old.modes)
    if facts.latency not in (None, old.latency):
        yield "latency", facts.latency, old.latency


def begin(folder: Folder, settings: Settings) -> None:
    """Write the settings, unless they stand there already."""
    if not folder.exists or read_settings(folder.settings) != settings:
        write_settings(folder, settings)


def now() -> str:
    """The present moment, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def hardware() -> str:
    """The machine in a few words: system, architecture, cores."""
    return f"{platform.system()} {platform.machine()}, {counted(usable_cores(), 'core')}"


def versions() -> dict[str, str]:
    """The versions that a score may depend on."""
    ours = {"python": platform.python_version(), "neptune-nas": __version__}
    return {**ours, **{package: version(package) for package in PACKAGES}}
