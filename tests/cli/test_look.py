import xml.etree.ElementTree as ET
from contextlib import ExitStack
from pathlib import Path

import pytest

from neptune_nas.study.folder import Folder
from neptune_nas.study.read import read_study
from tests.cli.run import assert_one_sentence, neptune


def test_draw_writes_well_formed_svg(study: Path, tmp_path: Path) -> None:
    assert neptune("draw", study / "best.json", "-o", tmp_path / "best.svg").code == 0
    assert ET.parse(tmp_path / "best.svg").getroot().tag.endswith("svg")


def test_show_draws_the_architecture_in_the_terminal(study: Path) -> None:
    outcome = neptune("show", study / "best.json")
    assert outcome.code == 0
    for part in ("stem", "FLOPs", "accuracy"):
        assert part in outcome.out


def test_one_epoch_is_no_epochs(study: Path) -> None:
    assert "after 1 epoch, seed" in neptune("show", study / "best.json").out


def test_status_says_how_far_a_study_is(study: Path) -> None:
    outcome = neptune("status", study)
    assert outcome.code == 0
    for part in ("3/3 trials", "best accuracy", "Pareto front", "ago"):
        assert part in outcome.out


def test_watch_ends_with_the_study(study: Path) -> None:
    outcome = neptune("watch", study)
    assert outcome.code == 0
    assert "3/3 trials" in outcome.out


def test_watch_goes_on_while_the_best_are_confirmed(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    with ExitStack() as confirmed:
        confirmed.enter_context(Folder(study).locked_to_confirm())

        def sleep(seconds: float) -> None:
            looks.append(seconds)
            confirmed.close()

        monkeypatch.setattr("time.sleep", sleep)
        assert neptune("watch", study, "--every", 3).code == 0
    assert looks == [3.0]


def test_compare_has_a_row_a_study(study: Path) -> None:
    outcome = neptune("compare", study, study)
    assert outcome.code == 0
    assert outcome.out.count("tiny-digits") == 2
    row = next(line for line in outcome.out.splitlines() if "tiny-digits" in line)
    question = read_study(study).settings.question
    assert row.split()[1:4] == [question.sampler, str(question.seed), "3"]


def test_an_interactive_figure_needs_no_extra(study: Path, tmp_path: Path) -> None:
    assert neptune("plot", "pareto", study, "-o", tmp_path / "front.html").code == 0
    assert (tmp_path / "front.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        (("plot", "paretto", "STUDY", "-o", "x.html"), ("'paretto'", "did you mean 'pareto'")),
        (("plot", "pareto", "STUDY", "-o", "x.bmp"), (".bmp",)),
        (("plot", "importance", "STUDY", "-o", "x.html"), ("has 3 scored trials", "at least 40")),
        (("plot", "effects", "STUDY", "-o", "x.html"), ("has 3 scored trials", "at least 40")),
        (
            ("plot", "effects", "STUDY", "STUDY", "-o", "x.html"),
            ("one study at a time, but got 2",),
        ),
        (("status", "nowhere"), ("nowhere does not exist",)),
        (("draw", "nothing.json"), ("nothing.json cannot be read",)),
        (("compare", "STUDY", "nowhere"), ("nowhere does not exist",)),
    ],
)
def test_a_mistake_is_one_sentence(
    study: Path, command: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    said = [str(study) if word == "STUDY" else word for word in command]
    assert_one_sentence(neptune(*said), *parts)
