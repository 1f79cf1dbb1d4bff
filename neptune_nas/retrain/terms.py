"""The terms of a training: what decides how it ends, and by which its folder is known again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import StudyError
from neptune_nas.files.rules import Size


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides how a training ends, but for the seed.

    `network`: an architecture's key, or the name of a hand-designed network. `data`: as it was
    named; `data_fingerprint` and the names of `classes` are what tells data sets apart. `recipe`:
    with the data's own augmentation in place of "auto". `numerics`: the precision and memory
    layout; whatever they would be now, a folder keeps to them, so they are no difference.
    """

    network: str
    data: str
    data_fingerprint: str
    epochs: Size
    recipe: dict[str, Any]
    classes: tuple[str, ...]
    numerics: Numerics


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
    if new.classes != old.classes:
        yield "classes", ", ".join(new.classes), ", ".join(old.classes)
    if new.epochs != old.epochs:
        yield "epochs", new.epochs, old.epochs
    for name in dict.fromkeys([*old.recipe, *new.recipe]):
        now, then = new.recipe.get(name), old.recipe.get(name)
        if now != then:
            yield f"the recipe's {name}", now, then
