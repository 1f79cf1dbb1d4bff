"""The formats that a network is exported in, a row each, and the names of their files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neptune_nas.deploy.runtime_registry import RUNTIMES
from neptune_nas.errors import OptionError, one_of

Precision = Literal["int8", "float32"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    `precisions`: those of its weights, the usual one first; none for an architecture alone.
    `runtimes`: what its files are opened by before they are written, the usual one first.
    `checked`: the precisions of which a file is compared with what was promised.
    """

    name: str
    suffix: str
    precisions: tuple[Precision, ...] = ("float32",)
    runtimes: tuple[str, ...] = ()
    checked: tuple[Precision, ...] = ()


_BOTH: tuple[Precision, ...] = ("int8", "float32")
_LITE = ("tflite-micro", "litert")

FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        Format("json", ".json", ()),
        Format("onnx", ".onnx", ("float32", "int8"), ("onnxruntime",), ("int8",)),
        Format("pt2", ".pt2"),
        Format("python", ".py"),
        Format("tflite", ".tflite", _BOTH, _LITE, _BOTH),
        Format("c", ".h", ("int8",), _LITE[:1], ("int8",)),
        Format("pte", ".pte", ("float32", "int8"), ("executorch",), _BOTH),
    )
}
MODELS = tuple(name for name, each in FORMATS.items() if each.precisions)
"""The formats with weights."""
BY_SUFFIX: Mapping[str, str] = {each.suffix: name for name, each in FORMATS.items()}


@dataclass(frozen=True, slots=True)
class FileKind:
    """The kind of file to write: a format's name, the precision of its weights, its runtime.

    `runtime`: what is to run it, empty for a format that needs none named. Raises `OptionError`
    for a format that is unknown, and for a precision or runtime that it does not have.
    """

    form: str
    precision: Precision = "float32"
    runtime: str = ""

    def __post_init__(self) -> None:
        if self.form not in MODELS:
            raise OptionError(f"the format '{self.form}' is unknown: {one_of(MODELS, self.form)}")
        known = FORMATS[self.form]
        if self.precision not in known.precisions:
            raise OptionError(
                f"the format {self.form} must be {' or '.join(known.precisions)}, but got "
                f"{self.precision}: {_formats_with(self.precision)}."
            )
        if self.runtime and self.runtime not in known.runtimes:
            runs = f"run by {' or '.join(known.runtimes)}" if known.runtimes else "run by torch"
            raise OptionError(
                f"the format {self.form} is {runs}, but got the runtime '{self.runtime}': "
                f"{one_of(_runtimes(), self.runtime)}"
            )

    @property
    def is_lean(self) -> bool:
        """True for a microcontroller's file, whose memory counts and is recorded."""
        return self.runtime in RUNTIMES and RUNTIMES[self.runtime].is_micro

    @property
    def quantises_anew(self) -> bool:
        """True if the runtime's own quantiser makes int8 from the weights in float32."""
        found = RUNTIMES.get(self.runtime)
        return self.precision == "int8" and found is not None and found.quantises

    @property
    def is_checked(self) -> bool:
        """True if the file is compared with what was promised, on its runtime."""
        return self.precision in FORMATS[self.form].checked


def file_kind(
    form: str, precision: Precision | None = None, runtime: str | None = None
) -> FileKind:
    """Return the kind of file of a format; what is None is the format's usual one.

    Raises as `FileKind` does.
    """
    known = FORMATS.get(form)
    if known is None or not known.precisions:
        return FileKind(form)
    usual = known.runtimes[0] if known.runtimes else ""
    return FileKind(form, precision or known.precisions[0], runtime or usual)


def files_of(kind: FileKind, path: Path) -> list[Path]:
    """Return the files that a model is written to, but for the JSON beside a file that is checked.

    Raises `OptionError` for another suffix, and for files that belong to something else.
    """
    form = kind.form
    suffix = FORMATS[form].suffix
    if path.suffix != suffix:
        raise OptionError(f"the format {form} needs a file that ends in {suffix}, but got {path}.")
    if form != "python":
        return [path]
    weights = path.with_suffix(".pt")
    if weights.exists() and not path.exists():
        raise OptionError(
            f"the format python would write its weights to {weights}, but that file exists and "
            f"{path} does not, so it belongs to something else: choose another name."
        )
    return [path, weights]


def _formats_with(precision: Precision) -> str:
    names = [name for name in MODELS if precision in FORMATS[name].precisions]
    return f"{', '.join(names)} can be {precision}"


def _runtimes() -> set[str]:
    return {runtime for each in FORMATS.values() for runtime in each.runtimes}
