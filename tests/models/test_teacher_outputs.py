"""A teacher's outputs: computed once, kept, and computed again where they do not match."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from neptune_nas.data.images import ImageData
from neptune_nas.errors import DataError, FileFormatError, OwnCodeError
from neptune_nas.models.model import save_model
from neptune_nas.models.teacher import FittedTeacher
from neptune_nas.models.teacher_outputs import (
    KeptOutputs,
    TeacherSource,
    keep_outputs,
    kept_seconds,
    open_teaching,
    seconds_to_keep,
    teacher_notes,
)
from neptune_nas.tasks.augmentation import Augment, Normalizer
from neptune_nas.tasks.classification import Classification
from neptune_nas.training.loop import train
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.teacher import view_moves
from tests.models.test_teacher import model
from tests.training.data import easy_data, endless, in_files, small_network

DATA, CPU = easy_data(), torch.device("cpu")
AUGMENT = Augment(crop=1, flip=True)


@pytest.fixture
def source(tmp_path: Path) -> TeacherSource:
    save_model(tmp_path / "big.safetensors", model())
    return TeacherSource(str(tmp_path / "big.safetensors"), views=3)


def kept_by(source: TeacherSource, folder: Path, data: ImageData = DATA) -> list[str]:
    """Keep the outputs, and return what was said."""
    said: list[str] = []
    keep_outputs(source, data, AUGMENT, folder, say=said.append)
    return said


def outputs_in(folder: Path) -> torch.Tensor:
    return torch.from_numpy(np.load(folder / "teacher.npy"))


def test_outputs_are_those_of_each_view_to_half_precision(
    source: TeacherSource, tmp_path: Path
) -> None:
    kept = keep_outputs(source, DATA, AUGMENT, tmp_path / "x")
    teacher = FittedTeacher(source.teacher, DATA).eval()
    found = open_teaching(kept.kept_in(tmp_path / "x")).outputs
    assert (found.shape, found.dtype) == ((3, 60, 2), torch.float16)
    for view in range(3):
        moves = view_moves(AUGMENT, DATA.train.images, view)
        images, _ = Classification().views(DATA.train, moves, Normalizer(teacher, CPU))
        with torch.inference_mode():
            torch.testing.assert_close(found[view].float(), teacher(images), rtol=1e-3, atol=1e-3)
    assert not torch.equal(found[0], found[1])


def test_without_views_they_are_of_the_plain_images(source: TeacherSource, tmp_path: Path) -> None:
    kept_by(replace(source, views=0), tmp_path / "x")
    found = outputs_in(tmp_path / "x")
    wanted = model().predict(DATA.train.images)
    torch.testing.assert_close(found[0].float().softmax(1), wanted, rtol=1e-2, atol=1e-3)
    assert len(found) == 1


def test_streamed_images_give_the_same(source: TeacherSource, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    kept_by(source, tmp_path / "x")
    kept_by(source, tmp_path / "y", endless(in_files(DATA, tmp_path / "images")))
    assert torch.equal(outputs_in(tmp_path / "x"), outputs_in(tmp_path / "y"))


def test_they_are_computed_once(source: TeacherSource, tmp_path: Path) -> None:
    first = kept_by(source, tmp_path / "x")
    assert first[0] == "Computing the teacher's outputs: 60 images, 3 views each."
    assert "the outputs are kept in" in first[1]
    assert kept_by(source, tmp_path / "x") == []
    assert kept_seconds(tmp_path / "x") > 0
    assert kept_seconds(tmp_path / "y") == 0
    assert seconds_to_keep(source, DATA, tmp_path / "x") == 0
    assert seconds_to_keep(source, DATA, tmp_path / "y") > 0


def test_other_views_images_or_weights_are_computed_anew(
    source: TeacherSource, tmp_path: Path
) -> None:
    kept_by(source, tmp_path / "x")
    assert len(kept_by(replace(source, views=2), tmp_path / "x")) == 2
    assert outputs_in(tmp_path / "x").shape == (2, 60, 2)
    assert len(kept_by(replace(source, views=2), tmp_path / "x", easy_data(40))) == 2
    other = model()
    save_model(Path(source.place), replace(other, state={n: t * 2 for n, t in other.state.items()}))
    assert len(kept_by(TeacherSource(source.place, 2), tmp_path / "x", easy_data(40))) == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_outputs_are_computed_again_and_said(
    damage: str, source: TeacherSource, tmp_path: Path
) -> None:
    kept_by(source, tmp_path / "x")
    file = tmp_path / "x" / "teacher.npy"
    whole = file.read_bytes()
    if damage == "cut":
        file.write_bytes(whole[:-10])
    elif damage == "changed":
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    else:
        file.unlink()
    said = kept_by(source, tmp_path / "x")
    assert "teacher.npy is damaged" in said[0]
    assert said[0].endswith("the teacher's outputs are computed again.")
    assert file.read_bytes() == whole


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "x"}', "\0"])
def test_outputs_that_nothing_describes_are_computed_again(
    content: str, source: TeacherSource, tmp_path: Path
) -> None:
    kept_by(source, tmp_path / "x")
    (tmp_path / "x" / "teacher.json").write_text(content)
    assert len(kept_by(source, tmp_path / "x")) == 2


def test_kept_outputs_do_without_the_teachers_file(source: TeacherSource, tmp_path: Path) -> None:
    kept_by(source, tmp_path / "x")
    Path(source.place).unlink()
    gone = TeacherSource(source.place, 3)
    assert gone.digest(tmp_path / "x") == source.teacher.digest
    assert kept_by(gone, tmp_path / "x") == []
    assert "accuracy" in teacher_notes(gone, DATA, tmp_path / "x")[0]
    with pytest.raises(FileFormatError, match="cannot be read"):
        gone.digest(tmp_path / "y")
    (tmp_path / "x" / "teacher.npy").unlink()
    with pytest.raises(FileFormatError, match="cannot be read"):
        kept_by(gone, tmp_path / "x")


def test_a_worker_without_the_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read .* continue the search or training"):
        open_teaching(KeptOutputs(tmp_path / "teacher.npy", 8, "0"))
    (tmp_path / "teacher.npy").write_bytes(b"no numbers")
    with pytest.raises(DataError, match="cannot be read"):
        open_teaching(KeptOutputs(tmp_path / "teacher.npy", 8, "1"))


def test_nothing_is_left_of_outputs_that_fail(tmp_path: Path) -> None:
    (tmp_path / "big.py").write_text(
        "from torch import nn, randn\n"
        "class Late(nn.Module):\n"
        "    calls = 0\n"
        "    def forward(self, images):\n"
        "        self.calls += 1\n"
        "        return randn(len(images), 2 if self.calls < 3 else 1)\n"
    )
    source = TeacherSource(f"{tmp_path / 'big.py'}:Late", 3)
    with pytest.raises(OwnCodeError, match="must return a tensor"):
        kept_by(source, tmp_path / "x")
    assert [*(tmp_path / "x").iterdir()] == []


def test_the_teachers_validation_is_told(source: TeacherSource, tmp_path: Path) -> None:
    (guessing,) = teacher_notes(source, DATA, tmp_path / "x")
    assert "which is no better than guessing (0.5000)" in guessing
    network = small_network()
    train(network, DATA, Recipe(batch_size=20, lr=0.02, precision="fp32"), 6)
    torch.save(network.state_dict(), tmp_path / "big.pt")
    (tmp_path / "big.py").write_text(
        "import torch\n"
        "from tests.training.data import small_network\n"
        "def big():\n"
        "    network = small_network()\n"
        f"    network.load_state_dict(torch.load({str(tmp_path / 'big.pt')!r}))\n"
        "    return network\n"
    )
    good = TeacherSource(f"{tmp_path / 'big.py'}:big", 1)
    (found,) = teacher_notes(good, DATA, tmp_path / "x")
    assert found == f"The teacher, {good.place}: accuracy 1.0000 on validation."
    assert teacher_notes(good, DATA, tmp_path / "x", usual=0.9) == (found,)


def test_a_teacher_below_its_student_is_told(source: TeacherSource, tmp_path: Path) -> None:
    kept = keep_outputs(source, DATA, AUGMENT, tmp_path / "x")
    facts = tmp_path / "x" / "teacher.json"
    value = kept.values["accuracy"]
    facts.write_text(facts.read_text().replace(f'"accuracy": {value}', '"accuracy": 0.8'))
    (found,) = teacher_notes(source, DATA, tmp_path / "x", usual=0.95)
    assert "accuracy 0.8000 on validation, but the network itself had 0.9500" in found
