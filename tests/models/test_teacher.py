"""Teachers from a model's file and from a user's code, and their fit to a data set."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from neptune_nas.architecture.records import Architecture, Stem
from neptune_nas.data.images import ImageData
from neptune_nas.errors import FileFormatError, NeptuneError, OptionError, OwnCodeError, SpaceError
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import Model, make_untrained, save_model
from neptune_nas.models.teacher import FittedTeacher, Teacher, is_code, load_teacher
from neptune_nas.tasks.augmentation import Normalizer
from tests.training.data import CLASSES, easy_data

DATA, CPU = easy_data(), torch.device("cpu")
CODE = """
from torch import nn
import torch

def plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 2))

def described():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    network.mean, network.std, network.labels = [0.5], torch.tensor([0.25]), ["light", "dark"]
    network.image_size = 8
    return network

class Sized(nn.Sequential):
    image_size = "8"

WORD, INSTANCE = "word", plain()
def failing(): raise ValueError("no weights here")
def leaving(): raise SystemExit("no weights here")
def empty(): return None
"""


@pytest.fixture
def code(tmp_path: Path) -> str:
    file = tmp_path / "big.py"
    file.write_text(CODE)
    return str(file)


def model(labels: tuple[str, ...] = CLASSES, shape: tuple[int, int, int] = (1, 6, 6)) -> Model:
    of = without_study(Architecture(Stem(4)), shape, len(labels))
    fresh = make_untrained(of)
    mean, std = (0.4,) * shape[0], (0.2,) * shape[0]
    return Model(of, labels, mean, std, fresh.state)


def fitted(teacher: Teacher, data: ImageData = DATA) -> FittedTeacher:
    return FittedTeacher(teacher, data).eval()


def outputs(teacher: FittedTeacher) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = teacher(Normalizer(teacher, CPU)(DATA.train.images))
    return found


def test_a_model_teaches_what_it_predicts(tmp_path: Path) -> None:
    save_model(tmp_path / "big.safetensors", model())
    teacher = load_teacher(str(tmp_path / "big.safetensors"))
    found = outputs(fitted(teacher)).softmax(1)
    torch.testing.assert_close(found, model().predict(DATA.train.images))


def test_classes_in_another_order_are_mapped_by_their_labels(tmp_path: Path) -> None:
    save_model(tmp_path / "big.safetensors", model(CLASSES[::-1]))
    teacher = load_teacher(str(tmp_path / "big.safetensors"))
    straight = outputs(fitted(replace(teacher, labels=CLASSES)))
    assert torch.equal(outputs(fitted(teacher)), straight.flip(1))


def test_images_are_resized_to_what_a_teacher_takes() -> None:
    seen: list[tuple[int, ...]] = []
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    network[0].register_forward_hook(lambda _, given, __: seen.append(given[0].shape))
    found = outputs(fitted(Teacher("big", network, size=(8, 8))))
    assert (found.shape, seen) == ((60, 2), [(60, 1, 8, 8)])


def test_a_users_network_takes_what_the_data_has_unless_it_says_so(code: str) -> None:
    plain, described = load_teacher(f"{code}:plain"), load_teacher(f"{code}:described")
    assert fitted(plain).mean == DATA.mean
    found = fitted(described)
    assert (found.mean, found.std, found.size, found.order) == ((0.5,), (0.25,), (8, 8), [1, 0])
    assert load_teacher(f"{code}:INSTANCE").labels is None


def test_a_users_function_leaves_the_random_state_alone(code: str) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    load_teacher(f"{code}:plain")
    assert torch.equal(torch.rand(1), wanted)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("", OptionError, r"must name a function in that file .*: write .*big\.py:FUNCTION"),
        (":missing", OptionError, "must be a function that returns an `nn.Module`, but `missing`"),
        (":WORD", OptionError, "but `WORD` is 'word'"),
        (":failing", OwnCodeError, r"`failing\(\)` failed in line 1\d of big\.py: ValueError: no"),
        (":leaving", OwnCodeError, "SystemExit: no weights here"),
        (":empty", OwnCodeError, "must return an `nn.Module`, but returned None"),
        (":Sized", OwnCodeError, "`image_size` must be a whole number of at least 1"),
    ],
)
def test_code_that_makes_no_teacher_is_refused(
    code: str, name: str, error: type[NeptuneError], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_teacher(f"{code}{name}")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.safetensors").write_text("no model")
    with pytest.raises(FileFormatError, match="must be safetensors"):
        load_teacher(str(tmp_path / "big.safetensors"))
    with pytest.raises(FileFormatError, match=r"gone\.safetensors cannot be read"):
        load_teacher(str(tmp_path / "gone.safetensors"))
    with pytest.raises(SpaceError, match="there is no file"):
        load_teacher(f"{tmp_path}/gone.py:big")


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (Teacher("big", nn.Identity(), ("dark", "red")), "only the teacher has 'red', only the"),
        (Teacher("big", nn.Identity(), ("dark", "light", "red")), "2 classes .* but has 3: only"),
        (Teacher("big", nn.Identity(), ("dark", "dark")), "must have the 2 classes of data 'easy'"),
        (Teacher("big", nn.Identity(), mean=(0.5,) * 3), "of 3 channels .* 'easy' has 1"),
        (Teacher("big", nn.Identity(), std=(0.5, 0.5)), "of 2 channels"),
        (Teacher("big", nn.Identity(), task="segmentation"), "is a network for segmentation, but"),
    ],
)
def test_a_teacher_for_other_data_is_refused(teacher: Teacher, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        fitted(teacher)


class Answers(nn.Module):
    """A network that answers with what a function makes of the images."""

    def __init__(self, answer: Callable[[torch.Tensor], object]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: torch.Tensor) -> object:
        return self.answer(images)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: x.new_zeros(len(x), 3), r"a tensor \(N, 2\) .* but returned \(60, 3\)"),
        (lambda x: x.new_zeros(len(x), 2, 1), r"returned \(60, 2, 1\)"),
        (lambda x: {"logits": x}, "but returned {'logits'"),
        (lambda x: x.new_full((len(x), 2), float("nan")), "returned NaN or infinity"),
        (lambda x: x.new_zeros(3, 2) @ x, r"failed on images of 1x6x6 \(.*`image_size`"),
    ],
)
def test_answers_that_teach_nothing_are_refused(
    answer: Callable[[torch.Tensor], object], message: str
) -> None:
    with pytest.raises(OwnCodeError, match=message):
        outputs(fitted(Teacher("big", Answers(answer))))


def test_a_digest_changes_with_weights_layers_and_what_a_teacher_takes() -> None:
    def network(seed: int, last: nn.Module) -> nn.Module:
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            return nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2), last)

    first = Teacher("a", network(0, nn.ReLU()))
    assert first.digest == Teacher("b", network(0, nn.ReLU())).digest
    others = [
        Teacher("a", network(1, nn.ReLU())),
        Teacher("a", network(0, nn.SiLU())),
        Teacher("a", network(0, nn.ReLU()), mean=(0.5,)),
        Teacher("a", network(0, nn.ReLU()), labels=("x", "y")),
        Teacher("a", network(0, nn.ReLU()).bfloat16()),
    ]
    assert len({each.digest for each in (first, *others)}) == 6


def test_code_is_told_from_a_file() -> None:
    assert is_code("my.py:big")
    assert is_code("my.networks:big")
    assert not is_code("my.py")
    assert not is_code("trained/x:y/model.safetensors")
