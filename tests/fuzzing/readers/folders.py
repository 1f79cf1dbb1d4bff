"""Folders of images: layouts, names, and files that PIL opens, or does not."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_data
from neptune_nas.models.model import save_model
from tests.fuzzing import mutations, valid
from tests.fuzzing.oracle import Case, Fault, Kind, command
from tests.fuzzing.runner import MakeCase

TRAIN = ("train", "training", "Train", "TRAIN")
VALIDATION = ("val", "valid", "validation", "Val")
TEST = ("test", "testing", "Test")
HIDDEN = (".ipynb_checkpoints", "__MACOSX", ".git", ".Trash-0", "@eaDir", ".thumbnails")
CLASSES = (
    *("cat", "dog", "ant", "classes", "shots@64", "a b", "\xdcn\xef", "名前", "=1+1", "<b>", "-x"),
    *("x" * 200, "a\nb", "\x1b[31m", "0", "test set", "train2"),
)
FORMATS = (
    *(("png", "PNG"), ("jpg", "JPEG"), ("jfif", "JPEG"), ("gif", "GIF"), ("bmp", "BMP")),
    *(
        ("webp", "WEBP"),
        ("tif", "TIFF"),
        ("ppm", "PPM"),
        ("PNG", "PNG"),
        ("jpeg", "PNG"),
        ("", "PNG"),
    ),
)
MODES = {
    "JPEG": ("L", "RGB"),
    "PPM": ("L", "RGB", "1"),
    "BMP": ("L", "RGB", "1"),
    "GIF": ("L", "P", "RGB"),
    "WEBP": ("RGB", "RGBA"),
}
"""The modes that a format is written in, where it has not all of them."""

OTHERS = ("Thumbs.db", ".DS_Store", "labels.csv", "README.md", "desktop.ini", "x.txt", "a.zip")


def open_reader(folder: Path) -> MakeCase:
    """Return what makes cases of folders of images, and of single images to predict."""
    save_model(folder / "model.safetensors", valid.model())

    def make(rng: Random, given: Path) -> Case:
        if rng.random() < 0.2:
            return _single(rng, given, folder / "model.safetensors")
        return _layout(rng, given, folder / "model.safetensors")

    return make


def _picture(rng: Random, side: int | None = None) -> Image.Image:
    mode = rng.choice(("L", "L", "RGB", "RGB", "RGBA", "P", "1", "LA"))
    height, width = (side or rng.randint(1, 12) for _ in range(2))
    pixels = np.frombuffer(rng.randbytes(height * width * 3), np.uint8).reshape(height, width, 3)
    return Image.fromarray(pixels).convert(mode)


def _encoded(picture: Image.Image, form: str) -> bytes:
    buffer = BytesIO()
    if picture.mode not in MODES.get(form, (picture.mode,)):
        picture = picture.convert("RGB")
    picture.save(buffer, form)
    return buffer.getvalue()


def _write_image(folder: Path, stem: str, rng: Random, side: int | None) -> None:
    suffix, form = rng.choice(FORMATS) if rng.random() < 0.3 else FORMATS[0]
    (folder / f"{stem}.{suffix}".rstrip(".")).write_bytes(_encoded(_picture(rng, side), form))


def _layout(rng: Random, given: Path, model: Path) -> Case:
    """Return a case of a folder of classes, perhaps in splits, to train or to evaluate on."""
    root = given / rng.choice(("pictures", "shots@64", "p#3", "a b", "名前"))
    base = root / "archive" if rng.random() < 0.1 else root
    splits: list[str] = []
    if rng.random() < 0.6:
        splits = [rng.choice(names) for names in (TRAIN, VALIDATION, TEST) if rng.random() < 0.7]
    classes = rng.sample(CLASSES, rng.choice((1, 2, 2, 2, 3)))
    side = rng.choice((8, 8, 8, None))
    for split in splits or [""]:
        for name in classes:
            folder = base / split / name
            folder.mkdir(parents=True)
            for i in range(rng.choice((1, 2, 5, 6, 6, 8))):
                _write_image(folder, f"{split[:2]}{i}", rng, side)
    planted = [planting(base, rng) for planting in rng.sample(PLANTINGS, rng.choice((0, 1, 1, 2)))]
    label = f"{root.name}: {'/'.join(splits) or 'no split'}, {len(classes)} classes"
    by_command, size = rng.random() < 0.3, rng.choice(("", "", "", "@4", "@16"))
    where = f"folder:{root}{size}"
    to_evaluate = rng.random() < 0.2
    known = ("--skip-unknown",) if rng.random() < 0.8 else ()

    def read() -> None:
        if to_evaluate:
            command("evaluate", model, where, *known)
            return
        if by_command:
            with valid.without_training():
                command("search", "--space", "tiny", "--data", where, "--dry-run")
        _require_told(root, load_data(where))

    return Case("; ".join((label, *planted)), read)


def _folders(base: Path) -> list[Path]:
    return sorted(path for path in base.rglob("*") if path.is_dir() and not path.is_symlink())


def _some_file(base: Path, rng: Random) -> Path:
    files = [path for path in base.rglob("*") if path.is_file() and not path.is_symlink()]
    if not files:  # earlier changes have left none
        files = [base / "only.png"]
        files[0].write_bytes(b"only")
    return rng.choice(sorted(files))


def _plant_hidden(base: Path, rng: Random) -> str:
    """Put a hidden folder, with a copy of an image, where one may lie."""
    folder = rng.choice([base, *_folders(base)]) / rng.choice(HIDDEN)
    copied = _some_file(base, rng)
    folder.mkdir(exist_ok=True)
    (folder / f"{copied.stem}-checkpoint{copied.suffix}").write_bytes(copied.read_bytes())
    return f"{folder.name} in {folder.parent.name[:20]}"


def _plant_other(base: Path, rng: Random) -> str:
    file = rng.choice([base, *_folders(base)]) / rng.choice(OTHERS)
    file.write_bytes(rng.choice((b"", b"text", b"\x89PNG\r\n\x1a\n", bytes(5000))))
    return f"{file.name} in {file.parent.name[:20]}"


def _plant_bytes(base: Path, rng: Random) -> str:
    file = _some_file(base, rng)
    data, how = mutations.change_bytes(file.read_bytes() or b"x", rng)
    file.write_bytes(data)
    return f"{file.name}: {how}"


def _plant_kind(base: Path, rng: Random) -> str:
    return mutations.change_file(_some_file(base, rng), rng)


def _plant_undecodable(base: Path, rng: Random) -> str:
    folder = os.fsencode(rng.choice([base, *_folders(base)]))
    name = rng.choice((b"caf\xe9", b"\xff\xfe.png", b"\x80"))
    if rng.random() < 0.5:
        path = os.path.join(folder, name)
        os.makedirs(path, exist_ok=True)
        for i in range(3):
            Path(os.fsdecode(path), f"{i}.png").write_bytes(_encoded(_picture(rng, 8), "PNG"))
        return f"a folder {name!r}"
    Path(os.fsdecode(os.path.join(folder, name))).write_bytes(_encoded(_picture(rng, 8), "PNG"))
    return f"a file {name!r}"


def _plant_link(base: Path, rng: Random) -> str:
    """Plant a link to a folder of images, to the folder itself, or to nothing."""
    places = [base, *_folders(base)]
    target, place = rng.choice(places), rng.choice(places) / "link"
    if place.is_symlink():
        return ""
    place.symlink_to(rng.choice((target, "link", "nothing", "/", "..")))
    return f"a link in {place.parent.name[:20]} to {os.readlink(place)[-20:]}"


def _plant_empty(base: Path, rng: Random) -> str:
    folder = rng.choice([base, *_folders(base)]) / "empty"
    folder.mkdir(exist_ok=True)
    return f"empty in {folder.parent.name[:20]}"


def _plant_odd(base: Path, rng: Random) -> str:
    """Plant an image that PIL opens and few expect: 16 bits, turned, animated, of odd sides."""
    file = _some_file(base, rng)
    kind = rng.choice(
        ("16 bits", "PGM of 16 bits", "turned", "frames", "a line", "float", "CMYK", "wide")
    )
    image, options = _picture(rng, 8).convert("RGB"), {}
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = rng.randint(2, 8)
        options = {"exif": exif}
    sixteen = Image.fromarray(np.full((8, 8), 40000, np.uint16))
    image, form = {
        "16 bits": (sixteen, "PNG"),
        "PGM of 16 bits": (sixteen, "PPM"),
        "turned": (image, "JPEG"),
        "frames": (image, "GIF"),
        "a line": (image.resize((400, 1)), "PNG"),
        "float": (Image.fromarray(np.ones((8, 8), np.float32)), "TIFF"),
        "CMYK": (image.convert("CMYK"), "JPEG"),
        "wide": (Image.new("1", (20000, 15000)), "PNG"),
    }[kind]
    buffer = BytesIO()
    image.save(buffer, form, **options)
    file.write_bytes(buffer.getvalue())
    return f"{file.name} is {kind}"


PLANTINGS: tuple[Callable[[Path, Random], str], ...] = (
    *(_plant_hidden, _plant_other, _plant_bytes, _plant_kind, _plant_undecodable, _plant_link),
    *(_plant_empty, _plant_odd),
)


def _require_told(root: Path, data: ImageData) -> None:
    """Raise `Fault` where images are left out, or used where they should not be, without a word."""
    names = {name.lower() for name in data.classes}
    if odd := names & {n.lower() for n in (*TRAIN, *VALIDATION, *TEST, *HIDDEN)}:
        what = "a split or a hidden folder became a class"
        raise Fault(Kind.SILENT, what, ", ".join(sorted(odd)))
    used = sum(len(split) for split in (data.train, data.validation, data.test))
    there = sum(not _is_in_system_folder(file, root) for file in _images(root))
    notes = " ".join(getattr(data, "notes", ()))
    linked = any(path.is_symlink() for path in root.rglob("*"))  # whose images count again
    if (used > there and not linked) or (used < there and not notes):
        what = "images were left out, or used, without a word"
        raise Fault(Kind.SILENT, what, f"{there} became {used}: {notes}")


def _images(root: Path) -> list[Path]:
    return [file for file in sorted(root.rglob("*")) if file.is_file() and _opens(file)]


def _is_in_system_folder(file: Path, root: Path) -> bool:
    return any(part in HIDDEN or part.startswith(".") for part in file.relative_to(root).parts)


def _opens(file: Path) -> bool:
    """Return whether PIL reads a file in full."""
    try:
        with Image.open(file) as image:
            image.load()
    except Exception:
        return False
    return True


def _single(rng: Random, given: Path, model: Path) -> Case:
    """Return a case of one image, or a folder of some, to predict."""
    root = given / "images"
    root.mkdir()
    for i in range(rng.choice((1, 2, 3))):
        _write_image(root, str(i), rng, None)
    label = rng.choice(PLANTINGS)(root, rng)
    file = rng.choice((root, root, root / "0.png"))
    form = rng.choice(("text", "json", "csv"))

    def read() -> None:
        command("predict", model, file, "--format", form)

    return Case(f"predict {form}: {label}", read)
