import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import FileFormatError
from neptune_nas.metrics.counted import Cost
from neptune_nas.retrain.metrics import Metrics, SeedMetrics, Spread, dumps, load_metrics
from neptune_nas.retrain.terms import Terms

TERMS = Terms("resnet8", "digits", "0123456789abcdef", 20, {"lr": 0.01}, ("0",), Numerics("fp32"))
MACHINE: dict[str, Any] = {
    "device": "cpu",
    "hardware": "a CPU",
    "versions": {"torch": "2.14.1"},
}
FIRST = SeedMetrics(
    seed=0,
    epoch=17,
    weights="ema",
    validation={"accuracy": 0.9, "loss": 0.5},
    test={"accuracy": 0.8, "loss": 0.6},
    seconds=12.5,
    test_read="2026-01-01T12:00:00+00:00",
    **MACHINE,
)
SECOND = replace(FIRST, seed=1, weights="raw", test={"accuracy": 0.9, "loss": 0.6}, device="cuda")
METRICS = Metrics(
    terms=TERMS,
    costs=Cost(1000, 200, 30).values,
    seeds=(FIRST, SECOND),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.json"
    file.write_text(dumps(METRICS))
    return file


def test_what_is_written_is_read_again(file: Path) -> None:
    assert load_metrics(file) == METRICS


def test_the_best_seed_is_the_best_in_int8_where_that_is_known() -> None:
    values = {"accuracy": 0.8, "loss": 0.7, "int8_accuracy": 0.79}
    lower = replace(SECOND, validation=values)
    higher = replace(FIRST, validation={"accuracy": 0.9, "loss": 0.5, "int8_accuracy": 0.75})
    assert replace(METRICS, seeds=(higher, lower)).best == lower
    assert METRICS.best == FIRST


def test_the_file_has_means_deviations_and_flops(file: Path) -> None:
    content = json.loads(file.read_text())
    assert content["summary"]["test_accuracy"]["mean"] == pytest.approx(0.85)
    assert content["summary"]["test_accuracy"]["sd"] == pytest.approx(0.1 / 2**0.5)
    assert content["costs"]["flops"] == 2000


def test_the_summary_says_over_how_many_seeds(file: Path) -> None:
    assert json.loads(file.read_text())["summary"]["seeds"] == 2


def test_the_names_of_the_classes_are_kept(file: Path) -> None:
    known = replace(METRICS, terms=replace(TERMS, classes=("cat", "dog")))
    file.write_text(dumps(known))
    assert load_metrics(file) == known


def test_a_seed_without_a_machine_is_refused(file: Path) -> None:
    content = json.loads(file.read_text())
    del content["seeds"][1]["device"]
    file.write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=r"`seeds\.1\.device` is missing"):
        load_metrics(file)


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_a_metric_that_a_seed_has_of_one_split_alone_is_missed(
    file: Path, split: str, seeds: list[int]
) -> None:
    content = json.loads(file.read_text())
    for seed in seeds:
        del content["seeds"][seed][f"{split}_accuracy"]
    file.write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=rf"`seeds\.0\.{split}_accuracy` is missing"):
        load_metrics(file)


def test_seeds_without_a_metric_are_refused(file: Path) -> None:
    content = json.loads(file.read_text())
    for seed in content["seeds"]:
        for split in ("validation", "test"):
            del seed[f"{split}_accuracy"], seed[f"{split}_loss"]
    file.write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match="`seeds` must hold values of a metric, such as"):
        load_metrics(file)


def test_one_seed_has_no_deviation() -> None:
    spread = replace(METRICS, seeds=(FIRST,)).spread("test", "accuracy")
    assert spread == Spread(0.8, None)
    assert str(spread) == "0.8000"


def test_a_deviation_is_shown_behind_the_mean() -> None:
    assert str(Spread(0.85, 0.07071)) == "0.8500 ± 0.0707"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), "other", "`format` must be 'neptune-nas/metrics', but got 'other'"),
        (("version",), 2, "`version` must be 1, but got 2"),
        (("seeds",), [], "`seeds` must hold values of a metric"),
        (("terms", "epochs"), 0, "`terms.epochs` must be a whole number of at least 1, but got 0"),
        (("terms", "classes"), [1], "`terms.classes.0` must be a string"),
        (("terms", "more"), 0, "`terms.more` is unknown"),
        (("costs",), 7, "`costs` must be an object of values, but got 7"),
        (("costs", "macs"), -1, "`costs.macs` must be a whole number of at least 0"),
        (
            ("seeds", 1, "weights"),
            "best",
            "`seeds.1.weights` must be one of raw, ema, but got 'best'",
        ),
        (("seeds", 1, "weights"), [], "`seeds.1.weights` must be one of raw, ema"),
        (("seeds", 0, "test_accuracy"), 2, "`seeds.0.test_accuracy` must be a number in 0..1"),
        (("seeds", 0, "test_other"), 2, "`seeds.0.test_other` is unknown"),
        (("seeds", 0), 7, "`seeds.0` must be an object"),
        (
            ("seeds", 1, "versions"),
            "2",
            "`seeds.1.versions` must be an object of strings, but got '2'",
        ),
        (("seeds",), {}, "`seeds` must be a list"),
        (("seeds", 0, "device"), 0, "`seeds.0.device` must be a string, but got 0"),
        (("summary", "seeds"), 3, "`summary.seeds` must be 2, but got 3: the file was changed"),
        (("summary", "seeds"), True, "`summary.seeds` must be 2, but got True"),
        (("summary", "test_loss"), None, "`summary.test_loss` must be .*, but got None"),
        (("summary", "test_loss", "mean"), 0.61, "`summary.test_loss` must be .*: 0.6, .*0.61"),
        (("summary", "test_loss", "sd"), "None", "`summary.test_loss` must be .*'sd': 'None'"),
        (("summary", "test_time"), 1, "`summary.test_time` is unknown"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    file: Path, path: tuple[Any, ...], value: object, message: str
) -> None:
    content = json.loads(file.read_text())
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    file.write_text(json.dumps(content))
    with pytest.raises(FileFormatError, match=message) as caught:
        load_metrics(file)
    assert str(caught.value).startswith(str(file))


def test_a_mean_may_differ_in_its_last_digits(file: Path) -> None:
    content = json.loads(file.read_text())
    content["summary"]["test_accuracy"]["mean"] *= 1 + 1e-12
    file.write_text(json.dumps(content))
    assert load_metrics(file) == METRICS


def test_half_a_file_is_refused(file: Path) -> None:
    file.write_text(file.read_text()[:100])
    with pytest.raises(FileFormatError, match=r"metrics\.json: it is not valid JSON"):
        load_metrics(file)
