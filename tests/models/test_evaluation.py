import pytest
import torch

from neptune_nas.architecture.records import Architecture, Stem
from neptune_nas.data.images import Split
from neptune_nas.devices.numerics import Numerics
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.evaluation import evaluate
from neptune_nas.models.model import Model, make_untrained


@pytest.fixture(scope="module")
def model() -> Model:
    """Return a model that normalises its images."""
    of = without_study(Architecture(Stem(4)), (3, 8, 8), 4)
    fresh = make_untrained(of)
    return Model(of, ("a", "b", "c", "d"), (0.5, 0.4, 0.3), (0.2, 0.3, 0.1), fresh.state)


@pytest.fixture(scope="module")
def split() -> Split:
    images = torch.randint(256, (600, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    return Split(images.byte(), torch.arange(600) % 4)


def test_it_says_what_the_models_predictions_say(model: Model, split: Split) -> None:
    shares, found = model.predict(split.images), evaluate(model, split)
    wrong = shares.argmax(1) != split.targets
    assert found.values["accuracy"] == 1 - float(wrong.double().mean())
    assert sum(found.confusion.values()) == found.images == 600
    assert len(found.mistakes) == int(wrong.sum()) > 0
    first = found.mistakes[0]
    assert first.probability == pytest.approx(float(shares.max(1).values[wrong].max()), abs=1e-5)
    for each in found.mistakes[::50]:
        label = model.labels[int(split.targets[each.row])]
        true = float(shares[each.row, split.targets[each.row]])
        assert each.label == label
        assert each.true_probability == pytest.approx(true, abs=1e-5)


def test_it_computes_in_the_numerics_of_a_training(model: Model, split: Split) -> None:
    found = [evaluate(model, split, "cpu", Numerics(each)) for each in ("fp32", "bf16")]
    assert found[0] == evaluate(model, split)
    assert found[0].values["loss"] != found[1].values["loss"]


def test_one_image_is_enough(model: Model, split: Split) -> None:
    found = evaluate(model, split[torch.tensor([5])])
    assert (found.images, found.absent) == (1, ("a", "c", "d"))
    assert found.main[1] in (0.0, 1.0)
