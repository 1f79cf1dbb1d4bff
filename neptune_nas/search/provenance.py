"""The provenance of a study: its space, data and machine, and whether a search agrees."""

import csv
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

from neptune_nas import __version__
from neptune_nas.architecture.codec import key
from neptune_nas.devices.processor import hardware
from neptune_nas.errors import ArchitectureError, FileFormatError, NeptuneError, StudyError
from neptune_nas.evaluators.bench import Bench
from neptune_nas.files.regular import read_bytes
from neptune_nas.metrics.registry import COUNTED
from neptune_nas.nn.model_zoo import weights_digests
from neptune_nas.space import Space
from neptune_nas.study.database_url import is_same_database
from neptune_nas.study.folder import Folder, read_settings, toml_text, write_settings
from neptune_nas.study.settings import (
    Facts,
    Settings,
    code_differences,
    question_differences,
    weights_differences,
)
from neptune_nas.study.trial import Trial
from neptune_nas.text import as_typed, counted

_LIST = 2**27  # bytes of `trials.csv`, for 50,000 trials of 2,600 each
_PACKAGES = ("torch", "optuna", "numpy")
_OPTIONS = (
    *("space", "data", "target", "objectives", "epochs", "rungs", "proxy", "reduction"),
    *("sampler", "repeats", "seed", "latency on", "teacher views"),
)
_NO_TEACHER = "none"
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
        weights=weights_digests(space.template),
    )


def settings_for(folder: Folder, asked: Settings) -> Settings:
    """Return the settings to search by: those on disk if they agree with `asked`, else `asked`.

    Raises `StudyError` that names the first difference from what the study began with.
    """
    if not folder.exists:
        toml_text(folder.settings, asked)  # refuses unsuitable text before anything is begun
        return asked
    old = read_settings(folder.settings)
    for what, now, then in _differences(old, asked):
        raise StudyError(
            f"study {folder.path} was started with {what} {as_typed(then)}, but now it is "
            f"{as_typed(now)}: to begin another study, give this search another `name` "
            f"(--study-name); to resume this one, {_resuming(what, then)}."
        )
    versions = asked.facts.versions
    facts = replace(old.facts, versions=versions)
    return replace(old, trials=asked.trials, facts=facts, id=old.id or asked.id)


def _resuming(what: str, then: Any) -> str:
    """Return what leads back to the value that a study began with: an option, or its images."""
    if what in map(_words, _CHECKED):
        return "restore its images"
    if what == "teacher":
        return "give it as `teacher` (--teacher)" if then != _NO_TEACHER else "leave it out"
    if what.startswith("code of"):
        return "define it as it was"
    if what.startswith("weights in"):
        return "restore that file"
    if what.startswith("`start`"):
        return (
            "give that model, a copy of which is in its folder `shared`" if then else "leave it out"
        )
    option = {"repeats": "repeat-seeds"}.get(what, what.replace(" ", "-"))
    has_one = what in _OPTIONS and then not in ("", ())
    return "use its value" + (f" (--{option} {as_typed(then)})" if has_one else "")


def _words(field: str) -> str:
    return field.replace("_", " ")


def _differences(old: Settings, asked: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Yield the contradictions between what a study began with and the present settings."""
    then, now = old.facts, asked.facts
    if asked.storage and not (old.storage and is_same_database(asked.storage, old.storage)):
        yield "storage", asked.storage, old.storage or "study.db"
    if asked.question.teacher_digest != old.question.teacher_digest:
        yield "teacher", _teacher_in(asked), _teacher_in(old)
    yield from question_differences(old.question, asked.question)
    for path in dict.fromkeys([*then.outline, *now.outline]):
        if now.outline.get(path) != then.outline.get(path):
            ours, theirs = (facts.outline.get(path) or "not there" for facts in (now, then))
            yield f"`{path}` of the space as", ours, theirs
    yield from code_differences(then.code, now.code)
    yield from weights_differences(then.weights, now.weights)
    for field in _CHECKED:
        if getattr(now, field) != getattr(then, field):
            yield _words(field), getattr(now, field), getattr(then, field)
    if now.numerics not in (None, then.numerics):
        yield "precision and layout", str(now.numerics), str(then.numerics)
    for name in dict.fromkeys([*then.timed, *now.timed]):
        if now.timed.get(name) != then.timed.get(name):
            ours, theirs = (facts.timed.get(name, "not timed") for facts in (now, then))
            yield name, ours, theirs


def _teacher_in(settings: Settings) -> str:
    """Return the teacher of a study: its place and its digest."""
    digest = settings.question.teacher_digest
    return f"{settings.facts.teacher} ({digest})" if digest else _NO_TEACHER


def write_if_new(folder: Folder, settings: Settings) -> None:
    """Write the settings unless the file exists."""
    if not folder.exists or read_settings(folder.settings) != settings:
        write_settings(folder, settings)


def rewrite_if_lost(folder: Folder, settings: Settings, say: Callable[[str], None]) -> None:
    """Write the settings again if their file was deleted or damaged while the search ran.

    `say` is called with a sentence on that. Raises `StudyError` if the file was edited, and leaves
    it as it is.
    """
    try:
        now = read_settings(folder.settings) if folder.exists else None
    except NeptuneError:
        now = None
    if now is None:
        write_settings(folder, settings)
        say(
            f"{folder.settings} was deleted or damaged while the search ran; it was written again "
            f"as before. All results are kept."
        )
    elif now != settings:
        raise StudyError(
            f"{folder.settings} was changed while the search ran; the search kept its settings. "
            f"All results are kept, but to read them, restore the file as it was."
        )


def check_complete(folder: Folder, trials: int) -> None:
    """Refuse to resume with fewer trials than an earlier session listed in `trials.csv`."""
    file = folder.path / "trials.csv"
    try:
        lines = TextIOWrapper(BytesIO(read_bytes(file, _LIST)), "utf-8-sig", newline="")
        listed = sum(1 for _ in csv.reader(lines)) - 1
    except (FileFormatError, ValueError, csv.Error):
        return  # there is nothing to compare, and little to lose
    if listed > trials:
        raise StudyError(
            f"the database of study {folder.path} has {counted(trials, 'trial')}, but {file} lists "
            f"{listed}: the database is an older copy, or is damaged. Restore the right one; or, "
            f"to resume from these trials, move {file.name} away."
        )


def check_costs(
    folder: Path, trials: Iterable[Trial], count: Callable[[Any], Mapping[str, float]]
) -> None:
    """Refuse a study if an exact cost of one of its trials differs from the stored one.

    `count`: returns the counted costs of an architecture now. Raises `StudyError` for the first
    such trial.
    """
    for trial in trials:
        if (name := key(trial.architecture)) != trial.key:
            raise _changed(
                folder, trial, f"has the key {trial.key}, but its network has the key {name}"
            )
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
