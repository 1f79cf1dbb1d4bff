"""The layout of a folder of images: which of its folders are splits, and which are classes."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from neptune_nas.data.listing import Listing, subfolders
from neptune_nas.errors import DataError

Classes = dict[str, Path]
"""The folders of classes by name."""

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
"""The usual names of split folders, in lower case."""

_LIKE_A_SPLIT = re.compile(
    r"(?:.*[^a-z])?(train|training|val|valid|validation|dev|test|testing|eval)"
    r"[-_. ]?(?:set|data|images?|imgs?|split|part|folder|\d+)?"
)
DEEPEST = 8  # wrapping folders around a data set, as in archives
_NAMED = 4  # folders in a message
_REMEDY = (
    "use one folder of images per class, either at the top or inside each of train, val and test"
)


def layout_of(root: Path, listing: Listing) -> dict[str, Classes]:
    """Return the class folders of each split below a folder; without splits, all are `TRAIN`.

    Everything that is neither a split nor a class is counted in `listing`. Raises `DataError` for
    a folder that is ambiguous, or that has fewer than two classes.
    """
    folder, splits = _unwrapped(root, listing, is_trained_on=True)
    if not splits:
        return {TRAIN: _classes_in(folder, (), listing)}
    train = _classes_in(splits.pop(TRAIN), (), listing)
    return {TRAIN: train, **{s: _classes_in(path, train, listing) for s, path in splits.items()}}


def labelled_layout(root: Path, listing: Listing) -> dict[str, Classes]:
    """Return the class folders as `layout_of` does, of a folder that nothing is trained on.

    So there need not be a `TRAIN` split, nor a second class, nor the same classes in all splits.
    """
    folder, splits = _unwrapped(root, listing, is_trained_on=False)
    splits = splits or {TRAIN: folder}
    return {s: _classes_in(path, (), listing, least=1) for s, path in splits.items()}


def _unwrapped(root: Path, listing: Listing, is_trained_on: bool) -> tuple[Path, dict[str, Path]]:
    """Return the folder inside all wrapping ones, and its splits if it has any."""
    folder = root
    for _ in range(DEEPEST):
        inside = subfolders(folder)
        if splits := _splits_among(folder, inside, is_trained_on):
            listing.leave_others(folder, {path.name: path for path in splits.values()})
            return folder, splits
        if not (only := _wrapped(inside, ())):
            break
        listing.leave_others(folder, inside)
        folder = only
    return folder, {}


def _wrapped(inside: Mapping[str, Path], classes: Mapping[str, Path] | tuple[()]) -> Path | None:
    """Return the only folder in a folder, unless it is one of `classes` or has no subfolders."""
    if len(inside) != 1 or not {*inside}.isdisjoint(classes):
        return None
    (only,) = inside.values()
    return only if subfolders(only) else None


def _classes_in(
    folder: Path, classes: Mapping[str, Path] | tuple[()], listing: Listing, least: int = 2
) -> Classes:
    """Return the class folders of a split; they may be wrapped and must match `classes`.

    `least`: how many there must be.
    """
    inside = subfolders(folder)
    for _ in range(DEEPEST):
        if not (only := _wrapped(inside, classes)):
            break
        listing.leave_others(folder, inside)
        folder, inside = only, subfolders(only)
    listing.leave_others(folder, inside)
    if classes and not {*inside} <= {*classes}:
        odd = sorted({*inside} ^ {*classes})
        raise DataError(
            f"data 'folder:{listing.root}': train and {folder.name} must hold the same classes, "
            f"but only one of them has {short_list(odd)}."
        )
    if not classes and len(inside) < least:
        few = "two folders" if least > 1 else "one folder"
        raise DataError(
            f"data 'folder:{listing.root}': it needs at least {few} of images, one per "
            f"class, but got {len(inside)} in {folder}: {_REMEDY}."
        )
    return inside


def _splits_among(folder: Path, inside: Mapping[str, Path], is_trained_on: bool) -> dict[str, Path]:
    """Return the folder of each split in a folder; nothing if its folders are classes."""
    named = {
        name: SPLIT_NAMES[name.casefold()] for name in inside if name.casefold() in SPLIT_NAMES
    }
    others = [name for name in inside if name not in named]
    splits = {name: split for name, split in named.items() if subfolders(inside[name])}
    if why := "; ".join(_doubts(named, splits, others, is_trained_on)):
        raise DataError(
            f"data 'folder:{folder}': its folders must be either splits or classes, but {why} (it "
            f"has {short_list([*inside])}); {_REMEDY}."
        )
    found = {split: inside[name] for name, split in splits.items()}
    return {split: found[split] for split in (TRAIN, VALIDATION, TEST) if split in found}


def _doubts(
    named: Mapping[str, str], splits: Mapping[str, str], others: list[str], is_trained_on: bool
) -> Iterator[str]:
    """Yield the reasons why it is unclear whether folders are splits or classes.

    `named`: folders named like a split; `splits`: those of them that contain folders; `others`: the
    rest.
    """
    alike = {name: found[1] for name in others if (found := _LIKE_A_SPLIT.fullmatch(_plain(name)))}
    if not splits:
        if named and not others:
            yield "none of them has class folders"
        elif len({SPLIT_NAMES.get(like, like) for like in alike.values()}) > 1:
            yield f"{short_list([*alike])} look like splits: name them train, val and test"
        return
    if is_trained_on and TRAIN not in splits.values():
        yield f"there is no train folder next to {short_list([*splits])}"
    if len({*splits.values()}) < len(splits):
        yield f"two of {short_list([*splits])} name the same split: keep one of them"
    if alike:
        yield f"{short_list([*alike])} may be a split: name it val or test, or move it away"
    elif len(splits) == 1 and others and not named.keys() - splits.keys():
        yield f"{short_list([*splits])} may be a split or a class: if it is a split, pass its path"


def _plain(name: str) -> str:
    """Return a name in lower case, with its words separated.

    >>> _plain("TrainSet"), _plain("seg_test")
    ('train_set', 'seg_test')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold()


def short_list(names: list[str]) -> str:
    """Return names as a list; if there are many, only the first few.

    >>> short_list(["a", "b"]), short_list([*"abcdefg"])
    ('a, b', 'a, b, c, d and 3 more')
    """
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
