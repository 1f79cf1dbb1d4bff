from pathlib import Path

import pytest

from tests.cli.run import assert_one_sentence, neptune


def test_the_report_can_be_made_again(study: Path) -> None:
    page = study / "report.html"
    page.unlink()
    assert neptune("report", study).code == 0
    assert page.read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_report_goes_where_it_is_told(study: Path, tmp_path: Path) -> None:
    assert neptune("report", study, "-o", tmp_path / "other.html").code == 0
    assert (tmp_path / "other.html").stat().st_size > 1_000_000


@pytest.mark.parametrize(("form", "start"), [("md", "#"), ("csv", "place,")])
def test_a_ranking_is_printed_as_text(study: Path, form: str, start: str) -> None:
    outcome = neptune("report", study, "--format", form)
    assert outcome.code == 0
    assert outcome.out.startswith(start)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--format", "pdf"), ("--format 'pdf' is unknown",)),
        (("--min-accuracy", 1.5), ("`--min-accuracy` must be a number in 0..1", "1.5")),
        (("--min-accuracy", 1.0, "--format", "md"), ("no trial with accuracy of at least 1",)),
        (("--rank-by", "speed"), ("'speed' is unknown",)),
    ],
)
def test_a_mistake_is_one_sentence(
    study: Path, options: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    assert_one_sentence(neptune("report", study, *options), *parts)


def test_a_folder_without_a_study_is_named(tmp_path: Path) -> None:
    assert_one_sentence(neptune("report", tmp_path), str(tmp_path), "no study")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("version = [", "is not valid TOML"),
        ("version = 99", "`version` must be 1, but got 99"),
        ('version = 1\nname = "x"\ntrials = "many"', "`question`, `facts` are missing"),
        ('version = 1\nname = "x"', "`trials`, `question`, `facts` are missing"),
        ('version = 1\nshoe = "x"', "`shoe` is unknown"),
    ],
)
def test_a_broken_study_toml_is_one_sentence(tmp_path: Path, content: str, part: str) -> None:
    (tmp_path / "study.toml").write_text(content)
    assert_one_sentence(neptune("report", tmp_path), "study.toml", part)
