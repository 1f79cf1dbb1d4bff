"""The user's code that a study was begun with: a copy to read, and whether it may be run.

A study from elsewhere must not run what it names. So a search with a user's code is recorded in a
register in that user's data folder, which no study can bring along: an entry is found by the random
id of the study, its place on this machine and its question, and holds a digest of the file of that
code, or of the source of what a notebook defines. It is not found for a study that was moved, and
does not match code that was edited. So is a machine that a study measured latency on.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import is_dataclass
from hashlib import sha256
from pathlib import Path

from neptune_nas.architecture.fields import record_classes
from neptune_nas.errors import FileFormatError, NeptuneError, SpaceError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.cache import data_folder
from neptune_nas.files.documents import parse_json
from neptune_nas.files.regular import read_bytes
from neptune_nas.files.schema import check_value
from neptune_nas.space.locate import find_module, find_space, is_shipped, records_of, source_of
from neptune_nas.study.folder import Folder
from neptune_nas.study.main_code import main_digest, main_object
from neptune_nas.study.settings import Settings


def keep_source(folder: Folder, space: str) -> None:
    """Write a copy of the file of a space into its study, once, for people to read."""
    file = source_of(space)
    if file is not None and not folder.source.exists():
        with suppress(FileFormatError):  # gone or unreadable since it was run
            write_file(folder.source, read_bytes(file))


def register(folder: Folder, settings: Settings, places: Iterable[str]) -> None:
    """Record that the user ran the code at `places` for a study, which allows it to run again.

    If the user has no data folder that can be written to, commands ask for the code instead.
    """
    digests = {where: _digest(where) for where in places if not is_shipped(where)}
    own = {where: digest for where, digest in digests.items() if digest}
    entry = _entry(folder, settings)
    if own and entry is not None:
        content = {"study": os.path.realpath(folder.path), "code": {**_digests_in(entry), **own}}
        with suppress(NeptuneError):
            write_file(entry, json.dumps(content, indent=2) + "\n")


def may_run(folder: Folder, settings: Settings, where: str) -> bool:
    """Return whether the code that a study names may be run, without running it.

    It may if it comes with the toolkit, or if this user ran it, as it is, for this very study.
    """
    if is_shipped(where):
        return True
    entry = _entry(folder, settings)
    # Only files that the register knows are looked for and read.
    ran = None if entry is None else _digests_in(entry).get(where)
    return ran is not None and _digest(where) == ran


def records_in(folder: Folder, settings: Settings) -> tuple[type, ...]:
    """Return the user's records in a study's space, if its code may be run and works.

    Those of a notebook are taken as they are now, if they have not changed since the study began.
    """
    code = (name for name in settings.facts.code if may_run(folder, settings, name))
    found = map(main_object, code)
    here = tuple(cls for cls in found if isinstance(cls, type) and is_dataclass(cls))
    space = settings.question.space
    if not may_run(folder, settings, space):
        return here
    try:
        template = find_space(space).template
        return (*here, *records_of(find_module(space)), *record_classes(template))
    except SpaceError:  # reading works without; what needs the records says so
        return here


def _entry(folder: Folder, settings: Settings) -> Path | None:
    """Return the place of a study in the register; None where it has none."""
    register = data_folder()
    if register is None or not settings.id:
        return None
    study = json.dumps([settings.id, os.path.realpath(folder.path), settings.identity])
    return register / "studies" / f"{sha256(study.encode()).hexdigest()}.json"


def _digests_in(entry: Path) -> dict[str, str]:
    """Return the digests of the code that was run for a study, by the study's names for it."""
    try:
        content = parse_json(read_file(entry))
        check_value(content, dict[str, object], "register", FileFormatError)
        digests = content.get("code")
        check_value(digests, dict[str, str], "code", FileFormatError)
    except FileFormatError:  # none was run, or the entry is damaged
        return {}
    return dict(digests)


def _digest(where: str) -> str | None:
    """Return a digest of the file at `where`, its place included, or of what a notebook defines.

    None if there is neither. A machine is its own digest.
    """
    if "://" in where:
        return where
    if (source := main_digest(where)) is not None:
        return source
    if (file := source_of(where)) is None:
        return None
    try:
        return sha256(os.fsencode(file) + b"\0" + read_bytes(file)).hexdigest()
    except FileFormatError:
        return None
