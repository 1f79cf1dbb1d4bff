"""The terms of a training: what decides how it ends, and by which its folder is known again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neptune_nas.devices.mode import Mode
from neptune_nas.errors import FileFormatError, OptionError, StudyError
from neptune_nas.files.schema import OBJECT, SIZE, TEXT, Rule, check_fields

TERMS: Mapping[str, Rule] = {
    "network": TEXT,
    "data": TEXT,
    "data_fingerprint": TEXT,
    "epochs": SIZE,
    "recipe": OBJECT,
    "classes": Rule(
        "a list of strings",
        lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    ),
    "mode": OBJECT.or_null,
}
LATER = ("classes", "mode")  # than the first version
KNOWN_TERMS = tuple(name for name in TERMS if name not in LATER)
AUTO = ("crop", "flip")  # of a recipe: "auto" in files of older versions stands for what it did


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides how a training ends, but for the seed.

    `network`: an architecture's key, or the name of a hand-designed network. `data`: as it was
    named; `data_fingerprint` and the names of `classes` are what tells data sets apart. `recipe`:
    with the data's own augmentation in place of "auto". `mode`: in which precision and memory
    layout; whatever it would be now, a folder keeps to it, so it is no difference. Files of older
    versions have "auto", no `classes` and no `mode`: the recipe's precision, channels last.
    """

    network: str
    data: str
    data_fingerprint: str
    epochs: int
    recipe: dict[str, Any]
    classes: tuple[str, ...] = ()
    mode: Mode | None = None


def terms_in(data: object, path: str) -> Terms:
    """The terms in a JSON object; `path` stands before a field's name in messages."""
    content = check_fields(data, TERMS, path, KNOWN_TERMS)
    mode = content.get("mode")
    return Terms(
        **{**content, "classes": tuple(content.get("classes", ())), "mode": mode and mode_in(mode)}
    )


def mode_in(content: Mapping[str, Any]) -> Mode:
    """The mode in a JSON object."""
    try:
        return Mode(**content)
    except (OptionError, TypeError) as error:
        raise FileFormatError(f"`mode` must be of a precision and a layout: {error}") from error


def refuse_others(what_was: str, old: Terms, new: Terms) -> None:
    """Refuse terms that differ, naming the first difference.

    `what_was`: the beginning of the sentence, such as "trained/x was begun".
    """
    for what, now, then in differences(old, new):
        raise StudyError(
            f"{what_was} with {what} {then}, but now it is {now}: choose another folder as "
            f"`out` (--out), or ask for what was asked then."
        )


def differences(old: Terms, new: Terms) -> Iterator[tuple[str, object, object]]:
    """In what the terms asked differ from those of the folder: what, now, then.

    Data of another name that are the same images are the same.
    """
    if new.network != old.network:
        yield "network", new.network, old.network
    if new.data_fingerprint != old.data_fingerprint:
        yield (
            "data",
            f"{new.data} ({new.data_fingerprint})",
            f"{old.data} ({old.data_fingerprint})",
        )
    if new.classes != old.classes and new.classes and old.classes:
        yield "classes", ", ".join(new.classes), ", ".join(old.classes)
    if new.epochs != old.epochs:
        yield "epochs", new.epochs, old.epochs
    for name in dict.fromkeys([*old.recipe, *new.recipe]):
        now, then = new.recipe.get(name), old.recipe.get(name)
        if now != then and not (name in AUTO and "auto" in (now, then)):
            yield f"the recipe's {name}", now, then
