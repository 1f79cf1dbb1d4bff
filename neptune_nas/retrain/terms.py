"""The terms of a training, which decide its result and identify its folder."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from neptune_nas.deploy.int8_accuracy import Calibration
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import StudyError
from neptune_nas.files.rules import Count, Share, Size
from neptune_nas.models.start import SHOWN
from neptune_nas.study.settings import weights_differences
from neptune_nas.training.recipe import with_defaults


@dataclass(frozen=True, slots=True)
class Inherited:
    """The trained model that a training started from: its file, by SHA-256, and what fitted.

    `share`: the inherited share of the network's parameters, 0..1.
    """

    digest: str
    file: str = field(compare=False)
    share: Share = field(compare=False)

    def __str__(self) -> str:
        return f"{self.file} (sha256 {self.digest[:SHOWN]})"

    @property
    def text(self) -> str:
        """The share in words."""
        return f"{self.share:.0%} of the parameters inherited"


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that decides the result of a training, except the seed.

    `network`: an architecture's key, or the name of a hand-designed network. `data`: its name; data
    sets are told apart by `data_fingerprint` and the names of `classes`. `recipe`: with the data's
    own augmentation in place of "auto". `numerics`: the precision and memory layout; a folder keeps
    its own, so they do not count as a difference. `calibration`: the images that int8 is calibrated
    on; None without int8. `inherited`: the model that training started from; None for fresh
    weights. `id`: a random name, by which trackers know the folder wherever it is moved.
    `teacher_digest`: that of the teacher, which sees `teacher_views` views of each image;
    `teacher`: its file or function, as the user named it. Both are empty without a teacher.
    `weights`: the SHA-256 of each file of weights that the network's record names, by its path.
    """

    network: str
    data: str
    data_fingerprint: str
    epochs: Size
    recipe: dict[str, Any]
    classes: tuple[str, ...]
    numerics: Numerics
    calibration: Calibration | None = None
    inherited: Inherited | None = None
    id: str = field(default="", compare=False)
    teacher_digest: str = ""
    teacher_views: Count = 0
    teacher: str = field(default="", compare=False)
    weights: dict[str, str] = field(default_factory=dict)


def refuse_others(what_was: str, old: Terms, new: Terms) -> None:
    """Refuse terms that differ, naming the first difference.

    `what_was`: the start of the message, such as "trained/x was started".
    """
    for what, now, then in differences(old, new):
        raise StudyError(
            f"{what_was} with {what} {then}, but now it is {now}: choose another folder as "
            f"`out` (--out), or repeat the earlier value."
        )


def differences(old: Terms, new: Terms) -> Iterator[tuple[str, object, object]]:
    """Yield the differences between two terms: the field, its new value, its old one.

    Data sets with equal images are equal, whatever their names.
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
    if new.calibration != old.calibration:
        yield "int8 calibrated", new.calibration or "not at all", old.calibration or "not at all"
    if new.teacher_digest != old.teacher_digest:
        yield "teacher", _teacher_in(new), _teacher_in(old)
    if new.teacher_views != old.teacher_views:
        yield "teacher views", new.teacher_views, old.teacher_views
    if new.inherited != old.inherited:
        yield "`start` (--first)", new.inherited or "none", old.inherited or "none"
    yield from weights_differences(old.weights, new.weights)
    was, now_is = with_defaults(old.recipe), with_defaults(new.recipe)
    for name in dict.fromkeys([*was, *now_is]):
        now, then = now_is.get(name), was.get(name)
        if now != then:
            yield f"the recipe's {name}", now, then


def _teacher_in(terms: Terms) -> str:
    """Return the teacher's place and digest."""
    return f"{terms.teacher} ({terms.teacher_digest})" if terms.teacher_digest else "none"
