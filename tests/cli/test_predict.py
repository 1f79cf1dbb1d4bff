import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neptune_nas.architecture.records import Architecture, Stage, Stem
from neptune_nas.cli import predict as command
from neptune_nas.data.pictures import read_picture
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import Model, load_model, make_untrained, save_model
from neptune_nas.space.locate import find_module
from tests.cli.run import Outcome, assert_one_sentence, neptune
from tests.tasks.dense import Dense, Points

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model and three pictures."""
    path = tmp_path_factory.mktemp("predict")
    save_model(
        path / "model.safetensors", make_untrained(without_study(Architecture(Stem(4)), SHAPE, 4))
    )
    (path / "pictures").mkdir()
    for i in range(3):
        pixels = torch.randint(0, 256, (8, 8), generator=torch.Generator().manual_seed(i))
        Image.fromarray(pixels.to(torch.uint8).numpy()).save(path / "pictures" / f"{i}.png")
    return path


def expected(folder: Path, name: str) -> list[tuple[str, float]]:
    """Return the labels of a picture, the most probable first."""
    model: Model = load_model(folder / "model.safetensors")
    shares = model.predict(read_picture(folder / "pictures" / name, SHAPE).pixels[None])[0].tolist()
    return sorted(zip(model.labels, shares, strict=True), key=lambda each: -each[1])


def test_a_line_an_image_names_its_most_probable_label(folder: Path) -> None:
    outcome = neptune("predict", folder / "model.safetensors", folder / "pictures")
    lines = []
    for name in ("0.png", "1.png", "2.png"):
        label, share = expected(folder, name)[0]
        lines.append(f"{folder / 'pictures' / name}: {label} {share:.4f}")
    assert (outcome.code, outcome.out.splitlines(), outcome.err) == (0, lines, "")


def test_json_and_csv_say_the_same_of_the_best_labels(folder: Path) -> None:
    arguments = ("predict", folder / "model.safetensors", folder / "pictures" / "1.png", "--top", 2)
    (found,) = json.loads(neptune(*arguments, "--format", "json").out)
    rows = [*csv.DictReader(StringIO(neptune(*arguments, "--format", "csv").out))]
    best = expected(folder, "1.png")[:2]
    assert [each["label"] for each in found["labels"]] == [label for label, _ in best]
    assert [(row["place"], row["label"]) for row in rows] == [
        (str(place), label) for place, (label, _) in enumerate(best, start=1)
    ]
    assert [each["probability"] for each in found["labels"]] == pytest.approx(
        [share for _, share in best]
    )


def test_no_more_labels_are_given_than_there_are(folder: Path) -> None:
    picture = folder / "pictures" / "0.png"
    outcome = neptune("predict", folder / "model.safetensors", picture, "--top", 99)
    assert outcome.out.count(",") == 3


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        (1, "Converted 2 images from colour to gray, which the network was trained on.\n"),
        (3, "Converted 3 images from gray to RGB, which the network was trained on.\n"),
    ],
)
def test_that_images_change_their_colours_is_said(
    folder: Path, tmp_path: Path, channels: int, said: str
) -> None:
    model = make_untrained(without_study(Architecture(Stem(4)), (channels, 8, 8), 4))
    save_model(tmp_path / "model.safetensors", model)
    for name in ("red.png", "blue.png"):
        Image.new("RGB", (8, 8), name.removesuffix(".png")).save(tmp_path / name)
    images = (tmp_path / "red.png", folder / "pictures", tmp_path / "blue.png")
    outcome = neptune("predict", tmp_path / "model.safetensors", *images)
    assert (outcome.code, len(outcome.out.splitlines()), outcome.err) == (0, 5, said)


def test_gray_with_transparency_or_in_a_palette_is_no_colour(folder: Path, tmp_path: Path) -> None:
    Image.new("LA", (8, 8), (90, 200)).save(tmp_path / "alpha.png")
    palette = Image.new("L", (8, 8), 90).convert("P")
    palette.save(tmp_path / "palette.png")
    palette.save(tmp_path / "both.png", transparency=90)
    outcome = neptune("predict", folder / "model.safetensors", tmp_path)
    assert (outcome.code, len(outcome.out.splitlines()), outcome.err) == (0, 3, "")


def test_a_folder_gives_what_its_files_give_and_says_what_it_leaves_out(
    folder: Path, tmp_path: Path
) -> None:
    names = ("a.gif", "b.jfif", "c.webp", "d", "e.pgm", "sub/f.tif")
    for i, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        kind = {"d": "PNG"}.get(name)
        Image.effect_noise((9, 12), 40 + i).save(tmp_path / name, format=kind)
    (tmp_path / "notes.txt").write_text("some words")
    (tmp_path / "._a.gif").write_bytes(b"x")
    model = folder / "model.safetensors"
    whole = neptune("predict", model, tmp_path)
    each = neptune("predict", model, *(tmp_path / name for name in names))
    assert (whole.code, each.code, whole.out) == (0, 0, each.out)
    assert len(whole.out.splitlines()) == len(names)
    said = whole.err.splitlines()[0]
    assert "files that are not images: 1 (such as notes.txt)" in said
    assert "hidden and system files and folders: 1 (such as ._a.gif)" in said


def test_a_folder_with_hardly_an_image_is_not_walked_to_its_end(
    folder: Path, tmp_path: Path
) -> None:
    for i in range(10_001):
        (tmp_path / str(i)).touch()
    outcome = neptune("predict", folder / "model.safetensors", tmp_path)
    assert (outcome.code, outcome.out) == (1, "")
    assert "only 0 of the first 10,000 files and folders in it are images" in outcome.err


def test_a_broken_image_is_named_and_the_others_are_predicted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "AT_ONCE", 2)
    (tmp_path / "broken.png").write_text("no image")
    paths = (tmp_path / "broken.png", folder / "pictures", tmp_path / "nothing.jpg")
    outcome = neptune("predict", folder / "model.safetensors", *paths)
    assert (outcome.code, len(outcome.out.splitlines())) == (1, 3)
    broken, nothing = outcome.err.splitlines()
    assert broken.startswith(f"neptune-nas: {tmp_path}/broken.png must be an intact image")
    assert nothing == f"neptune-nas: {tmp_path}/nothing.jpg does not exist: correct the path."


@pytest.mark.parametrize(("form", "nothing"), [("json", "[]\n"), ("text", "")])
def test_no_image_at_all_is_no_prediction(
    folder: Path, tmp_path: Path, form: str, nothing: str
) -> None:
    outcome = neptune("predict", folder / "model.safetensors", tmp_path, "--format", form)
    assert (outcome.code, outcome.out) == (1, nothing)
    assert "has no image" in outcome.err


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--top", 0), "`--top` must be a whole number of at least 1, but got 0"),
        (("--format", "yaml"), "--format 'yaml' is unknown"),
    ],
)
def test_a_mistake_is_one_sentence(folder: Path, options: tuple[object, ...], part: str) -> None:
    arguments = (folder / "model.safetensors", folder / "pictures", *options)
    assert_one_sentence(neptune("predict", *arguments), part)


@pytest.mark.parametrize("name", ["nothing.safetensors", "pictures/0.png"])
def test_what_is_no_model_is_refused_in_one_sentence(folder: Path, name: str) -> None:
    assert_one_sentence(neptune("predict", folder / name, folder / "pictures"), name)


OWN = """
from dataclasses import dataclass
from torch import nn

@dataclass(frozen=True)
class Own:
    def build(self, width):
        return nn.Conv2d(width, width, 1)
"""


def test_a_users_own_substage_is_allowed_by_its_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    own = find_module(str(tmp_path / "own.py")).Own
    item = without_study(Architecture(Stem(4), (Stage(8, substages=(own(),)),)), SHAPE, 4)
    save_model(tmp_path / "own.safetensors", make_untrained(item))
    arguments = ("predict", tmp_path / "own.safetensors", folder / "pictures")
    assert_one_sentence(neptune(*arguments), "own.safetensors", "--allow")
    assert neptune(*arguments, "--allow", tmp_path / "own.py").code == 0


@pytest.fixture(scope="module")
def masking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model for segmentation and two pictures of the same name."""
    path = tmp_path_factory.mktemp("masking")
    model = make_untrained(without_study(Dense(), (1, 6, 8), 3))
    save_model(path / "model.safetensors", replace(model, task="segmentation"))
    for i in range(2):
        pixels = torch.randint(0, 256, (6, 8), generator=torch.Generator().manual_seed(i)).byte()
        (path / str(i)).mkdir()
        Image.fromarray(pixels.numpy()).save(path / str(i) / "a.png")
    return path


def masked(masking: Path, *options: object) -> Outcome:
    images = (masking / "0" / "a.png", masking / "1" / "a.png")
    model = masking / "model.safetensors"
    return neptune("predict", model, *images, "--allow", "tests.tasks.dense:Dense", *options)


def test_segmentation_writes_the_class_of_each_pixel(masking: Path, tmp_path: Path) -> None:
    outcome = masked(masking, "-o", tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    model = load_model(masking / "model.safetensors", (Dense,))
    for i, name in enumerate(("a", "a-2")):
        picture = read_picture(masking / str(i) / "a.png", (1, 6, 8))
        wanted = model.predict(picture.pixels[None]).argmax(1)[0]
        with Image.open(tmp_path / f"{name}-mask.png") as found:
            assert found.mode == "P"
            assert (np.asarray(found) == wanted.numpy()).all()
        with Image.open(tmp_path / f"{name}-overlay.png") as over:
            assert (over.mode, over.size) == ("RGB", (8, 6))
    assert outcome.out.splitlines()[-1] == f"Pictures: {tmp_path}"


def test_segmentation_prints_the_share_of_each_class(
    masking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = json.loads(masked(masking, "--format", "json").out)
    assert [Path(row["mask"]) for row in content] == [
        Path("predicted/a-mask.png"),
        Path("predicted/a-2-mask.png"),
    ]
    for row in content:
        shares = [label["share"] for label in row["labels"]]
        assert sum(shares) == pytest.approx(1)
        assert min(shares) > 0


def test_a_folder_for_masks_is_refused_where_there_are_none(folder: Path, tmp_path: Path) -> None:
    pictures = folder / "pictures"
    outcome = neptune("predict", folder / "model.safetensors", pictures, "-o", tmp_path)
    assert_one_sentence(outcome, "--out is for masks and boxes, which a model for classification")


def test_masks_do_not_go_where_the_images_are(masking: Path, tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    model, allow = masking / "model.safetensors", ("--allow", "tests.tasks.dense:Dense")
    outcome = neptune("predict", model, tmp_path / "a.png", "-o", tmp_path, *allow)
    assert_one_sentence(outcome, "--out must be another folder than that of the images")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.fixture(scope="module")
def boxing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model for detection that finds a box everywhere, and a picture twice its size."""
    path = tmp_path_factory.mktemp("boxing")
    model = make_untrained(without_study(Points(), (1, 16, 24), 2))
    bias = model.state["body.3.bias"]
    bias[4:] = torch.tensor([5.0, -5.0])
    save_model(path / "model.safetensors", replace(model, task="detection", labels=("cat", "dog")))
    pixels = np.zeros((32, 48), np.uint8)
    Image.fromarray(pixels).save(path / "a.png")
    return path


def boxed(boxing: Path, *options: object) -> Outcome:
    allow = ("--allow", "tests.tasks.dense:Points")
    return neptune("predict", boxing / "model.safetensors", boxing / "a.png", *allow, *options)


def test_detection_gives_boxes_in_pixels_of_the_file_and_draws_them(
    boxing: Path, tmp_path: Path
) -> None:
    (found,) = json.loads(boxed(boxing, "--format", "json", "-o", tmp_path, "--top", 3).out)
    assert [each["label"] for each in found["labels"]] == ["cat"] * 3
    for each in found["labels"]:
        left, top, right, bottom = each["box"]
        assert 0 <= left < right <= 48
        assert 0 <= top < bottom <= 32
    assert max(each["box"][2] for each in found["labels"]) > 24
    assert Path(found["boxes"]) == tmp_path / "a-boxes.png"
    with Image.open(tmp_path / "a-boxes.png") as image:
        assert image.size == (480, 320)
        assert len(image.getcolors() or []) > 1


def test_boxes_in_text_and_csv_are_those_in_json(boxing: Path, tmp_path: Path) -> None:
    (found,) = json.loads(boxed(boxing, "--format", "json", "-o", tmp_path).out)
    text = boxed(boxing, "-o", tmp_path).out.splitlines()
    table = [*csv.DictReader(StringIO(boxed(boxing, "--format", "csv", "-o", tmp_path).out))]
    first = found["labels"][0]
    sides = ", ".join(f"{side:.0f}" for side in first["box"])
    assert f"{boxing / 'a.png'}: cat {first['probability']:.4f} ({sides})" in text[0]
    assert text[1] == f"Pictures: {tmp_path}"
    assert len(table) == len(found["labels"])
    names = ("left", "top", "right", "bottom")
    assert [float(table[0][name]) for name in names] == first["box"]


def test_an_image_in_which_nothing_is_found_says_so(boxing: Path, tmp_path: Path) -> None:
    model = load_model(boxing / "model.safetensors", (Points,))
    model.state["body.3.bias"][4:] = -5.0
    save_model(tmp_path / "model.safetensors", model)
    outcome = neptune(
        *("predict", tmp_path / "model.safetensors", boxing / "a.png", "-o", tmp_path / "out"),
        *("--allow", "tests.tasks.dense:Points"),
    )
    assert outcome.out.splitlines()[0] == f"{boxing / 'a.png'}: nothing"
