import math
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.score import Score
from neptune_nas.study.references import Reference, read_references, write_references

COST = Cost(100, 20, 3).values
FAILED = Score(2, seed=9, failure="out of memory")


def reference(*accuracies: float) -> Reference:
    return Reference(
        "resnet8",
        COST,
        tuple(Score(2, {"accuracy": a, "loss": 1.0}, i) for i, a in enumerate(accuracies)),
    )


def test_accuracy_is_the_mean_over_good_seeds_and_deviation_their_spread() -> None:
    found = reference(0.5, 0.7).plus(FAILED)
    assert found.seed_scores == (0.5, 0.7)
    assert found.score == pytest.approx(0.6)
    assert found.deviation == pytest.approx(0.02**0.5)
    assert found.failures == ("out of memory",)


def test_one_seed_has_no_spread_and_none_no_accuracy() -> None:
    assert math.isnan(reference(0.5).deviation)
    assert math.isnan(reference().score)


def test_a_score_takes_the_place_of_the_one_with_its_seed() -> None:
    found = reference(0.5, 0.7).plus(Score(2, {"accuracy": 0.9, "loss": 1.0}, seed=0))
    assert found.seed_scores == (0.7, 0.9)


def test_references_survive_the_file(tmp_path: Path) -> None:
    kept = (reference(0.5).plus(FAILED), Reference("resnet20", COST))
    write_references(tmp_path / "references.json", kept)
    assert read_references(tmp_path / "references.json") == kept


def test_no_file_holds_no_references(tmp_path: Path) -> None:
    assert read_references(tmp_path / "references.json") == ()


ONE = '{"version": 1, "networks": [{"name": "a", "costs": %s, "scores": %s}]}'
COSTS = '{"flops": 2, "macs": 1, "params": 1, "activations": 1}'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "it is not valid JSON"),
        ("[]", "it must be an object"),
        ('{"version": 1, "networks": [{}]}', r"`networks\.0\.name`.* missing"),
        ('{"version": 9}', "`version` must be 1, but got 9"),
        (ONE % ("{}", "[]"), r"`networks\.0\.costs\.flops`.* missing"),
        (
            ONE % (COSTS.replace("1", '"x"'), "[]"),
            "macs` must be a whole number of at least 0, but got 'x'",
        ),
        (
            ONE % (COSTS, '[{"fidelity": 1, "values": {"accuracy": "x", "loss": 1.0}}]'),
            r"scores\.0\.values\.accuracy` must be a finite number, but got 'x'",
        ),
    ],
)
def test_a_file_that_holds_no_references_is_refused(
    tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "references.json"
    file.write_text(content)
    with pytest.raises(FileFormatError, match=says):
        read_references(file)
