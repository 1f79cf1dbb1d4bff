"""The listing of image files below a folder, and of the files left out."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from neptune_nas.data.pixels import SUFFIXES, is_image, quiet_metadata
from neptune_nas.errors import DataError

_SYSTEM = {
    *("__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found", "icon\r"),
    *("system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"),
}
_JUDGED = 10_000  # entries after which a folder with hardly any image is refused
_FEW = 20  # by then, at least one entry in 20 must be an image

HIDDEN, NO_IMAGE, NO_FILE, LOOP, LOOSE, UNUSED = (
    "hidden and system files and folders",
    "files that are not images",
    "entries that cannot be read as files",
    "links to a folder already visited",
    "images outside class folders",
    "folders that are neither splits nor classes",
)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden or was made by the system or a program."""
    return name.startswith(".") or name.casefold() in _SYSTEM


def subfolders(folder: Path) -> dict[str, Path]:
    """Return the subfolders of a folder by name, sorted, without hidden ones."""
    names = [e.name for e in _scan(folder) if not is_hidden(e.name) and _is_folder(e)]
    return {name: folder / name for name in sorted(names)}


def _scan(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder; raises `DataError` if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise _listing_error(folder, error) from error


def _listing_error(folder: Path | str, error: OSError) -> DataError:
    return DataError(
        f"data: {folder} must be a folder that can be listed, but cannot be ({error.strerror}): "
        f"make it readable, or move it away."
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link to itself
        return entry.is_dir()
    return False


@dataclass(slots=True)
class Listing:
    """A walk below `root` that counts the entries seen and, by reason, those left out.

    `passed_over`: the suffixes of other files that belong there, such as annotations.
    """

    root: Path
    passed_over: frozenset[str] = frozenset()
    seen: int = 0
    images: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def files(self, folder: Path) -> list[Path]:
        """Return the images below a folder, in order.

        Linked folders are followed, but not to a parent folder, and never twice to the same one.
        Raises `DataError` if a folder cannot be listed, or if few of many entries are images.
        """
        found: list[str] = []
        above = {*folder.absolute().parents, *Path(os.path.realpath(folder)).parents}
        visited = {*map(_identity, above)}
        waiting = [str(folder)]
        with quiet_metadata():
            while waiting:
                here = waiting.pop()
                if (identity := _identity(here)) in visited:
                    self.leave_out(LOOP, here)
                    continue
                visited.add(identity)
                for entry in self._visible_entries(here):
                    if _is_folder(entry):
                        waiting.append(entry.path)
                    elif self._is_image(entry):
                        found.append(entry.path)
        return [*map(Path, sorted(found))]

    def leave_others(self, folder: Path, used: Mapping[str, Path]) -> None:
        """Count the entries of a folder, except the subfolders `used`."""
        for entry in self._visible_entries(folder):
            if _is_folder(entry):
                if entry.name not in used:
                    self.leave_out(UNUSED, entry.path)
            elif self._is_image(entry):
                self.leave_out(LOOSE, entry.path)

    def sentences(self) -> tuple[str, ...]:
        """Return a sentence on the files left out, with an example for each reason, if any."""
        parts = [
            f"{reason}: {count:,} (such as {self.examples[reason]})"
            for reason, count in self.left_out.items()
        ]
        return (f"Left out of {self.root}: {'; '.join(parts)}.",) if parts else ()

    def _visible_entries(self, folder: Path | str) -> Iterator[os.DirEntry[str]]:
        for entry in _scan(folder):
            self.seen += 1
            if self.seen % _JUDGED == 0 and self.images * _FEW < self.seen:
                raise DataError(
                    f"data: {self.root} must be a folder of images, but only {self.images:,} of "
                    f"the first {self.seen:,} files and folders in it are images: "
                    f"name the folder that holds the images."
                )
            if is_hidden(entry.name):
                self.leave_out(HIDDEN, entry.path)
            else:
                yield entry

    def _is_image(self, entry: os.DirEntry[str]) -> bool:
        """Return whether a file is an image, by its suffix, or else by its first bytes."""
        try:
            if not entry.is_file():  # a pipe, a device, a broken link
                self.leave_out(NO_FILE, entry.path)
                return False
            suffix = os.path.splitext(entry.name)[1].lower()
            if suffix in self.passed_over:
                return False
            known = suffix in SUFFIXES
            if not known and not (entry.stat().st_size and is_image(entry.path)):
                self.leave_out(NO_IMAGE, entry.path)
                return False
        except OSError:
            self.leave_out(NO_FILE, entry.path)
            return False
        self.images += 1
        return True

    def leave_out(self, reason: str, path: str) -> None:
        """Count a file or folder that is left out, with the first one as an example."""
        self.left_out[reason] += 1
        self.examples.setdefault(reason, os.path.relpath(path, self.root))


def _identity(folder: Path | str) -> tuple[int, int]:
    """Return the device and inode of a folder, equal for all paths to it."""
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _listing_error(folder, error) from error
    return status.st_dev, status.st_ino
