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
    rows = [line for line in outcome.out.splitlines() if line.split()[:1] == ["tiny-digits"]]
    assert len(rows) == 2
    row = rows[0]
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


def test_a_trial_of_a_study_is_shown_drawn_and_profiled(study: Path, tmp_path: Path) -> None:
    best = read_study(study).best("accuracy")
    shown = neptune("show", study, "--best", "accuracy")
    assert shown.out.startswith(f"Trial {best.number} of {study}\n")
    assert f"{best.values['flops']:,} FLOPs" in shown.out
    other = next(t.number for t in read_study(study).trials if t.number != best.number)
    drawn = neptune("draw", study, "--trial", other, "-o", tmp_path / "x.svg")
    assert drawn.out == f"Trial {other}: {tmp_path / 'x.svg'}\n"
    assert ET.parse(tmp_path / "x.svg").getroot().tag.endswith("svg")
    profiled = neptune("profile", study, "--trial", other)
    assert profiled.out.startswith(f"Trial {other} of {study}\n")
    assert "peak memory, batch 64" in profiled.out
    assert "on a device, in int8: RAM -, flash - (stages.0." in profiled.out


@pytest.mark.parametrize("command", ["show", "draw", "profile"])
@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("STUDY", "--trial", "9"), "trials 0 to 2, but --trial asks for 9"),
        (("STUDY", "--best", "fastest"), "--best 'fastest' is unknown"),
        (("STUDY", "--best", "knee", "--trial", "1"), "exclude each other"),
        (("STUDY/best.json", "--best", "knee"), "pick a trial of a study, but"),
        (("STUDY/study.toml",), "study.toml"),
    ],
)
def test_a_pick_that_is_none_is_one_sentence(
    study: Path, command: str, words: tuple[str, ...], part: str
) -> None:
    said = [word.replace("STUDY", str(study)) for word in words]
    assert_one_sentence(neptune(command, *said), part)


def test_diff_prints_what_differs_alone(study: Path, tmp_path: Path) -> None:
    numbers = {trial.key: trial.number for trial in read_study(study).trials}
    files = [tmp_path / f"{number}.json" for number in [*numbers.values()][:2]]
    for file in files:
        assert neptune("export", study, "--trial", file.stem, "-o", file).code == 0
    outcome = neptune("diff", *files)
    assert outcome.code == 0
    cells = [[cell.strip() for cell in line.split("│")] for line in outcome.out.splitlines()]
    rows = [row[1:4] for row in cells if len(row) == 5 and all(row[1:4])]  # others are folded
    assert rows
    assert all(left != right for _, left, right in rows)
    assert "key" in {name for name, *_ in rows}
    assert outcome.out.splitlines()[-1].endswith(" are equal.")
    assert neptune("diff", files[0], files[0]).out == "All values are equal.\n"


def test_compare_says_that_a_study_is_not_clearly_different_from_itself(study: Path) -> None:
    *_, corner, verdict = neptune("compare", study, study).out.splitlines()
    assert corner.startswith("Hypervolume is the share of the box from accuracy 0.")
    start = f"{study} is not clearly different from {study}: +0.0000 of hypervolume, 95% interval"
    assert verdict.startswith(start)
