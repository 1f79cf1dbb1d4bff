from pathlib import Path

import pytest

from neptune_nas.study.read import read_study
from tests.cli.run import assert_one_sentence, neptune

SPACE = """
from neptune_nas import Architecture, Space, Stage, choice

SPACE = Space(
    "nine", Architecture(stages=(Stage(width=choice(8, 16, 24)), Stage(width=choice(8, 16, 24))))
)
"""
ROWS = "code,epochs,accuracy\n" + "".join(
    f"{a}{b},{epochs},{(50 + 10 * a + 5 * b + epochs) / 100}\n"
    for a in range(3)
    for b in range(3)
    for epochs in (1, 3)
)


@pytest.fixture
def asked(tmp_path: Path) -> tuple[str | int, ...]:
    """Return the options of a search on a table of nine networks."""
    (tmp_path / "nine_networks.py").write_text(SPACE)
    (tmp_path / "table.csv").write_text(ROWS)
    files = ("--space", tmp_path / "nine_networks.py", "--table", tmp_path / "table.csv")
    return (*map(str, files), "--out", str(tmp_path), "-j", 1, "--threads", 1)


def test_a_search_on_a_table_trains_nothing(asked: tuple[str | int, ...], tmp_path: Path) -> None:
    outcome = neptune("search", *asked, "--trials", 20)
    assert outcome.code == 0, outcome
    study = read_study(tmp_path / "nine_networks-cifar10-table")
    assert sorted(t.score.main for t in study.ranked if t.score) == pytest.approx(
        sorted(0.53 + a / 10 + b / 20 for a in range(3) for b in range(3))
    )
    assert study.settings.question.evaluator == f"table:{tmp_path / 'table.csv'}"
    assert study.settings.question.rungs == (3,)
    assert (study.folder / "report.html").exists()


def test_rungs_a_dry_run_and_a_config_work_on_tables(
    asked: tuple[str | int, ...], tmp_path: Path
) -> None:
    config = tmp_path / "nine_networks-cifar10-table" / "study.toml"
    assert "table:" in neptune("search", *asked, "--dry-run").out
    assert neptune("search", *asked, "--trials", 6, "--rungs", "1,3").code == 0
    again = neptune("search", "--config", config, "--out", tmp_path, "-j", 1)
    assert again.code == 0, again
    study = read_study(config.parent)
    assert len(study.trials) == 6
    assert study.ledger.pruned > 0


def test_audits_and_baselines_work_on_tables(asked: tuple[str | int, ...], tmp_path: Path) -> None:
    folder = tmp_path / "nine_networks-cifar10-table"
    assert neptune("search", *asked, "--trials", 8, "--epochs", 1).code == 0
    audit = neptune("audit", folder, "-j", 1, "--threads", 1)
    assert "anking reliable: after fidelity 3, 8 architectures" in audit.out, audit
    baseline = neptune("baseline", folder, "--samplers", "random", "-j", 1, "--threads", 1)
    assert baseline.code == 0, baseline
    study = read_study(folder)
    assert len(study.baselines["random"]) == 8
    assert study.audit is not None
    assert [each.name for each in study.audit.others] == ["parameters", "FLOPs"]


def test_an_audit_asks_a_table_for_what_it_has(
    asked: tuple[str | int, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "nine_networks-cifar10-table"
    assert neptune("search", *asked, "--trials", 8, "--epochs", 1).code == 0
    assert_one_sentence(neptune("audit", folder, "--epochs", 5), "every network (3)", "but got 5")
    assert not (folder / "audit.json").exists()


@pytest.mark.parametrize(
    ("even", "odd", "said"),
    [
        ((1, 2, 4), (1, 2, 3), "after fidelity 2, 8 architectures"),
        ((1, 3, 5), (1, 3, 4, 5), "after fidelity 5, 8 architectures"),
        ((1, 50, 200), (1, 100), "no fidelity of every network above the last rung, 1"),
    ],
)
def test_an_audit_compares_networks_at_a_fidelity_that_all_have(
    asked: tuple[str | int, ...],
    tmp_path: Path,
    even: tuple[int, ...],
    odd: tuple[int, ...],
    said: str,
) -> None:
    rows = (
        f"{i // 3}{i % 3},{epochs},{0.5 + 0.03 * i + epochs / 1000}\n"
        for i in range(9)
        for epochs in (odd if i % 2 else even)
    )
    (tmp_path / "table.csv").write_text("code,epochs,accuracy\n" + "".join(rows))
    assert neptune("search", *asked, "--trials", 8, "--epochs", 1).code == 0
    audit = neptune("audit", tmp_path / "nine_networks-cifar10-table", "-j", 1, "--threads", 1)
    assert said in audit.out + audit.err, audit


def test_a_fidelity_that_some_networks_lack_is_not_audited_at(
    asked: tuple[str | int, ...], tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text(f"{ROWS}00,9,0.9\n")
    assert neptune("search", *asked, "--trials", 8, "--epochs", 1).code == 0
    outcome = neptune("audit", tmp_path / "nine_networks-cifar10-table", "--epochs", 9)
    assert_one_sentence(outcome, "of every network (3)", "but got 9")


def test_nothing_is_audited_at_the_highest_fidelity_of_a_table(
    asked: tuple[str | int, ...], tmp_path: Path
) -> None:
    assert neptune("search", *asked, "--trials", 8).code == 0
    outcome = neptune("audit", tmp_path / "nine_networks-cifar10-table")
    assert_one_sentence(outcome, "no fidelity of every network above the last rung, 3", "confirm")


def test_records_that_cannot_be_built_need_a_table(tmp_path: Path) -> None:
    (tmp_path / "own_records.py").write_text(
        "from dataclasses import dataclass\nfrom neptune_nas import Space, choice\n"
        "@dataclass(frozen=True)\nclass Net:\n    depth: int\n"
        "SPACE = Space('own', Net(choice(1, 2)))\n"
    )
    asked = ("--space", tmp_path / "own_records.py", "--data", "digits", "--out", tmp_path)
    outcome = neptune("search", *asked)
    assert_one_sentence(outcome, "space 'own' is of Net records", "`table` (--table)")
    assert not list(tmp_path.rglob("study.toml"))


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--table", "missing.csv"), ("there is no table missing.csv",)),
        (("--proxy", "naswot", "--rungs", "0,1"), ("`proxy` and `table` exclude each other",)),
        (("--rungs", "0,1"), ("rungs must begin at 1",)),
        (("--rungs", "1,9"), ("table.csv has of some network (1, 3), but it has none at 9",)),
        (("--rungs", "1,9", "--dry-run"), ("but it has none at 9",)),
        (("--data", "minst"), ("data 'minst' is unknown",)),
    ],
)
def test_a_mistake_is_one_sentence(
    asked: tuple[str | int, ...], tmp_path: Path, options: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    assert_one_sentence(neptune("search", *asked, *options), *parts)
    assert not list(tmp_path.rglob("study.toml"))
