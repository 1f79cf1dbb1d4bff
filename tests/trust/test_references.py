import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from neptune_nas.engine.engine import Engine
from neptune_nas.errors import ArchitectureError, OptionError, StudyError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.metrics.score import Score
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.search.config import Search
from neptune_nas.study.read import read_study
from neptune_nas.study.references import read_references
from neptune_nas.trust.loop import Step
from neptune_nas.trust.references import run_references
from tests.study.edits import edit_study
from tests.study.fakes import Arithmetic, InlineEngine, Together
from tests.trust.fakes import on_engine

PAIR = ("resnet8", "resnet20")


@dataclass(frozen=True)
class Pretending:
    """Scores architectures and hand-designed networks by formulas."""

    broken: str = ""

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:
        if not isinstance(architecture, ReferenceNetwork):
            return Arithmetic()(architecture, fidelity, seed)
        if architecture.name == self.broken:
            return Score(fidelity, seed=seed, failure="diverged")
        return Score(
            fidelity,
            {"accuracy": len(architecture.name) / 100 + seed % 100 / 1e4, "loss": 1.0},
            seed,
        )


def network_of(step: Step) -> str:
    """Which network a result is of, as it says."""
    return step.text.partition(":")[0]


def inline(broken: str = "") -> Engine:
    """Return an engine in this process, which cannot train the network that is `broken`."""
    return InlineEngine(Pretending(broken))


def whole() -> Engine:
    """One that makes all its calls at once."""
    return Together(Pretending(), slots=4)


def asked(out: Path, make: Callable[[], Engine] = inline) -> Search:
    """Return a search that asks for training, but measures by formulas."""
    return on_engine(Search(space="tiny", trials=6, jobs=1, rungs=(1, 2), out=out), make)


def failing() -> Engine:
    """One that cannot train ResNet-8."""
    return inline("resnet8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished study."""
    return asked(tmp_path_factory.mktemp("studies")).run().folder


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """Where a copy of the study lies, to be changed at will."""
    copytree(made, tmp_path / made.name)
    return tmp_path


def test_networks_are_trained_as_long_as_the_last_rung_with_seeds_of_their_own(out: Path) -> None:
    study = run_references(asked(out), PAIR, seeds=2)
    assert [reference.name for reference in study.references] == [*PAIR]
    for reference in study.references:
        seeds = [seed_for(0, f"reference-{reference.name}", repeat) for repeat in range(2)]
        assert [score.seed for score in reference.scores] == seeds
        assert {score.fidelity for score in reference.scores} == {2}


def test_costs_are_counted_on_the_images_of_the_study(out: Path) -> None:
    study = run_references(asked(out), ["resnet8"])
    (reference,) = study.references
    assert study.settings.facts.input_shape == (1, 8, 8)
    assert reference.costs["flops"] == 1_527_040
    assert reference.costs["params"] == 77_898


def test_what_was_measured_is_read_back_and_stands_in_the_report(out: Path) -> None:
    study = run_references(asked(out), PAIR)
    assert read_study(study.folder).references == study.references
    assert "Compared with hand-designed networks" in (study.folder / "report.html").read_text()


def test_an_interrupted_run_goes_on(out: Path) -> None:
    def stop(step: Step) -> None:
        if step.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_references(asked(out), PAIR, seeds=2, watch=stop)
    told: list[tuple[int, int, str]] = []
    study = run_references(
        asked(out), PAIR, 2, lambda step: told.append((step.done, step.total, network_of(step)))
    )
    assert told == [(1, 1, "resnet20")]
    assert [len(reference.scores) for reference in study.references] == [2, 2]


def test_what_came_together_is_kept_where_watching_ends_it(out: Path) -> None:
    def stop(_: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_references(asked(out, whole), PAIR, seeds=2, watch=stop)
    kept = read_references(asked(out).folder.references)
    assert [len(reference.scores) for reference in kept] == [2, 2]


def test_each_of_what_came_together_is_told(out: Path) -> None:
    told: list[tuple[int, int, str, float]] = []
    study = run_references(
        asked(out, whole),
        PAIR,
        2,
        lambda step: told.append((step.done, step.total, network_of(step), step.score.main)),
    )
    scores = [each.seed_scores for each in study.references]
    assert told == [
        (i, 4, PAIR[(i - 1) % 2], scores[(i - 1) % 2][(i - 1) // 2]) for i in range(1, 5)
    ]


def test_more_seeds_and_more_networks_join_the_others(out: Path) -> None:
    first = run_references(asked(out), ["resnet8"]).references[0]
    study = run_references(asked(out), [*PAIR, "resnet8"], seeds=3)
    assert [len(reference.scores) for reference in study.references] == [3, 3]
    assert study.references[0].scores[0] == first.scores[0]


def test_a_finished_run_measures_nothing_again(out: Path) -> None:
    before = run_references(asked(out), PAIR).references
    again = run_references(asked(out), PAIR, watch=lambda *_: pytest.fail("it measured again"))
    assert again.references == before


def test_a_failure_is_kept_with_its_reason_and_tried_again(out: Path) -> None:
    failed = run_references(asked(out, failing), PAIR).references
    assert (failed[0].failures, failed[0].seed_scores) == (("diverged",), ())
    assert len(failed[1].seed_scores) == 1
    mended = run_references(asked(out), PAIR).references
    assert (mended[0].failures, len(mended[0].scores)) == ((), 1)
    assert mended[1] == failed[1]


def test_references_stay_in_later_results_of_the_search(out: Path) -> None:
    before = run_references(asked(out), PAIR).references
    assert asked(out).run().references == before


def test_a_study_that_trains_nothing_is_refused(tmp_path: Path) -> None:
    search = Search(space="tiny", trials=2, evaluator=Arithmetic(), jobs=1, out=tmp_path)
    search.run()
    with pytest.raises(StudyError, match="Arithmetic, which trains nothing"):
        run_references(search)


def test_a_study_that_began_with_other_data_is_refused(out: Path) -> None:
    folder = next(out.glob("*/study.toml")).parent
    fingerprint = read_study(folder).settings.facts.data_fingerprint
    edit_study(folder, (fingerprint, "0123456789abcdef"))
    with pytest.raises(StudyError, match="was started with data '0123456789abcdef', but now it is"):
        run_references(asked(out), PAIR)


@pytest.mark.parametrize(
    ("networks", "seeds", "kind", "says"),
    [
        (("resnet8", "resnet9"), 1, OptionError, "'resnet9' is unknown: did you mean 'resnet8'"),
        (("resnet8", "squeezenet1_1"), 1, ArchitectureError, "at least 10x10 pixels, but got 8x8"),
        (
            ("resnet8",),
            0,
            OptionError,
            "`seeds` must be a whole number of at least 1 and below 10001, but got 0",
        ),
        ((), 1, OptionError, "need at least one network"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_runs(
    out: Path, networks: tuple[str, ...], seeds: int, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        run_references(asked(out), networks, seeds)
    assert read_references(asked(out).folder.references) == ()


def test_references_json_is_plain(out: Path) -> None:
    run_references(asked(out, failing), PAIR)
    content = json.loads(asked(out).folder.references.read_text())
    assert content["version"] == 1
    assert [network["name"] for network in content["networks"]] == [*PAIR]
    assert content["networks"][0]["scores"][0]["values"] == {}
