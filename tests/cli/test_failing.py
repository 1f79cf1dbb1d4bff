"""Commands in which no evaluation works: they end with exit code 1 and the reason."""

from pathlib import Path
from shutil import copytree

import pytest

from tests.cli.run import neptune

SOURCE = """
from dataclasses import dataclass
from pathlib import Path

from neptune_nas.metrics.score import Score


@dataclass(frozen=True)
class Fragile:
    def __call__(self, architecture, fidelity, seed):
        if Path({mark!r}).exists():
            raise RuntimeError("out of order")
        return Score(fidelity, {{"accuracy": seed % 1000 / 1000, "loss": 0.0}}, seed)
"""
SERIAL = ("-j", 1, "--threads", 1)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with an evaluator that fails while `mark` lies beside it."""
    file = tmp_path_factory.mktemp("own") / "mine.py"
    file.write_text(SOURCE.format(mark=str(file.with_name("mark"))))
    return file


@pytest.fixture(scope="module")
def begun(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of eight trials that worked, and let the evaluator fail from now on."""
    out = tmp_path_factory.mktemp("studies")
    asked = ("--space", "tiny", "--epochs", 1, "--trials", 8, *SERIAL, "--out", out)
    outcome = neptune("search", *asked, "--evaluator", f"{own}:Fragile")
    assert outcome.code == 0, outcome
    own.with_name("mark").touch()
    return out / "tiny-digits"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("search", "--space", "tiny", "--epochs", 1, "--trials", 3, "--out", "OUT"), "trial"),
        (("confirm", "STUDY", "--seeds", 2), "confirmation"),
        (("audit", "STUDY", "--architectures", 4, "--epochs", 2), "evaluation of the audit"),
        (("baseline", "STUDY", "--samplers", "random", "--trials", 3), "trial of a baseline"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_in_which_nothing_worked_fails_with_the_reason(
    own: Path, begun: Path, tmp_path: Path, words: tuple[object, ...], what: str
) -> None:
    places = {"STUDY": copytree(begun, tmp_path / begun.name), "OUT": tmp_path / "out"}
    given = [places.get(str(word), word) for word in words]
    outcome = neptune(*given, *SERIAL, "--evaluator", f"{own}:Fragile")
    assert outcome.code == 1, outcome
    assert "Traceback" not in outcome.err
    said = f"neptune-nas: no {what} worked; most frequent reason: RuntimeError: out of order"
    assert outcome.err.splitlines()[-1] == said
