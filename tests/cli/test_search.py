import io
import re
import signal
import sys
import tomllib
from contextlib import redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from neptune_nas.cli import run
from neptune_nas.report.plain_comparison import favoured_plain
from neptune_nas.study.read import read_study
from neptune_nas.study.trial import State
from neptune_nas.text import counted
from tests.cli.run import ALONE, assert_one_sentence, neptune

BRIEF = ("--space", "tiny", "--trials", 2, "--epochs", 1, "-j", 1, "--threads", 1)
QUICK = (*BRIEF, *ALONE)


def test_a_search_leaves_a_whole_study_behind(tmp_path: Path) -> None:
    outcome = neptune("search", *QUICK, "--out", tmp_path)
    folder = tmp_path / "tiny-digits"
    assert outcome.code == 0
    assert {path.name for path in folder.iterdir()} - {"study.lock"} == {
        *("study.toml", "study.db", "trials.csv", "pareto.csv", "best.json", "report.html"),
        *("folder.id", "space.py.txt"),
    }
    assert "tiny-digits: 2 finished." in outcome.out
    assert str(folder / "report.html") in outcome.out.replace("\n", "")


def test_the_same_command_again_does_nothing_but_report(study: Path) -> None:
    before = read_study(study).trials
    asked = ("--space", "tiny", "--trials", 3, "--epochs", 1, *ALONE, "--out", study.parent)
    outcome = neptune("search", *asked)
    assert outcome.code == 0
    assert read_study(study).trials == before


def test_a_search_ends_with_the_evidence_for_its_answer(tmp_path: Path) -> None:
    outcome = neptune("search", *BRIEF, "--out", tmp_path)
    assert outcome.code == 0
    study = read_study(tmp_path / "tiny-digits")
    assert {each.name.partition("-")[0] for each in study.references} == {"plain"}
    assert any(trial.confirmations for trial in study.trials)
    shown = " ".join(outcome.out.split())
    assert "than a plain network of" in shown
    plain = favoured_plain(study)
    network = plain.name if plain else f"{study.folder} --trial"
    assert f"Next: neptune-nas train {network}" in shown.replace("\n", "")


def test_n_trials_is_another_name_for_trials(study: Path) -> None:
    outcome = neptune(
        *("search", "--space", "tiny", "--n-trials", 3, "--epochs", 1, *ALONE),
        *("--out", study.parent),
    )
    assert outcome.code == 0


def test_everything_asked_stands_in_study_toml(study: Path) -> None:
    content = tomllib.loads((study / "study.toml").read_text())
    assert content["trials"] == 3
    assert content["question"]["space"] == "tiny"
    assert content["question"]["rungs"] == [1]
    assert content["question"]["recipe"]["optimizer"] == "adamw"
    assert content["facts"]["numerics"] == {"precision": "fp32", "layout": "channels_last"}
    assert set(content["facts"]["versions"]) >= {"python", "torch", "optuna", "neptune-nas"}


def test_a_config_asks_the_same_question_again(study: Path) -> None:
    config = study / "study.toml"
    outcome = neptune("search", "--config", config, *ALONE, "--out", study.parent)
    assert outcome.code == 0, outcome


def test_a_dry_run_trains_one_candidate_and_writes_nothing(tmp_path: Path) -> None:
    more = ("--confirm", 3, "--out", tmp_path / "studies", "--dry-run")
    outcome = neptune("search", *BRIEF, *more)
    then = (
        "Then it would train up to 2 plain networks with 3 seeds each and confirm the best with at "
        "most 3 evaluations: about "
    )
    assert then in " ".join(outcome.out.split())
    assert outcome.code == 0
    for part in (
        "space",
        "recipe",
        "one candidate",
        "accuracy",
        "1,078 to train",
        "from accuracy 0.",
    ):
        assert part in outcome.out
    assert list(tmp_path.iterdir()) == []


def dry_run(out: Path, trials: int, *more: object) -> str:
    """Return what a dry run of so many trials of `tiny` says, its white space as single spaces."""
    asked = ("--space", "tiny", "--trials", trials, "--epochs", 1, "-j", 1, "--out", out)
    outcome = neptune("search", *asked, *more, "--dry-run")
    assert outcome.code == 0, outcome
    return " ".join(outcome.out.split())


def test_a_dry_run_of_a_finished_study_says_that_it_is_done(study: Path) -> None:
    out = dry_run(study.parent, 3, "--no-yardstick", "--confirm", 0)
    assert "all trials done, 3 trials: nothing is left to search" in out
    assert out.endswith("The search would only rewrite its report.")
    assert "about" not in out
    assert "one candidate" not in out


def test_a_dry_run_tells_the_time_of_what_is_left(study: Path) -> None:
    out = dry_run(study.parent, 9, "--confirm", 50)
    assert re.search(
        r"about \w+ for the rest of 9 trials \(3 scored so far\), start-up included, 1 at", out
    )
    assert re.search(
        r" Then it would train up to 2 .* the best with at most \d+ evaluations: about \w+, \w+ in "
        r"all\.$",
        out,
    )


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--sampler", "evolutoin"), "did you mean 'evolution'"),
        (("--seed", 7), "started with seed 0"),
    ],
)
def test_a_dry_run_refuses_what_the_search_would(
    study: Path, options: tuple[object, ...], part: str
) -> None:
    asked = ("--space", "tiny", "--trials", 3, "--epochs", 1, "--out", study.parent, "--dry-run")
    assert_one_sentence(neptune("search", *asked, *options), part)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--epochs", 4), ("with epochs 1, but now it is 4", "(--epochs 1)")),
        (("--rungs", "1,3"), ("with rungs 1, but now it is 1,3", "(--rungs 1)")),
        (("--sampler", "random"), ("with sampler 'auto'", "(--sampler 'auto')")),
        (("--repeat-seeds", 2), ("with repeats 1", "(--repeat-seeds 1)")),
        ((), ("with rungs 1, but now it is 1,3,9", "(--rungs 1)")),
    ],
)
def test_a_study_of_other_settings_is_refused_with_the_options_that_go_on(
    study: Path, options: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    once = () if {"--epochs", "--rungs"} & {*options} or not options else ("--epochs", 1)
    outcome = neptune("search", "--space", "tiny", "--out", study.parent, *once, *options)
    assert_one_sentence(
        outcome, *parts, "to begin another study", "(--study-name)", "to resume this one"
    )


@pytest.mark.parametrize(
    ("command", "option", "value", "rule"),
    [
        ("search", "--trials", "abc", "a whole number, but got 'abc'"),
        ("search", "--seed", "1.5", "a whole number, but got '1.5'"),
        ("search", "--epochs", "", "a whole number, but got ''"),
        ("search", "--jobs", "two\nlines", r"a whole number, but got 'two\nlines'"),
        ("train x", "--seeds", "many", "a whole number, but got 'many'"),
        ("export x", "--min-accuracy", "high", "a number, but got 'high'"),
        ("space sample tiny", "--seed", "x", "a whole number, but got 'x'"),
        ("space sample tiny", "-n", "x", "a whole number, but got 'x'"),
        ("space sample tiny", "-n", "0", "at least 1, but got 0"),
        ("space sample tiny", "-n", "-3", "at least 1, but got -3"),
        ("watch x", "--every", "0.1", "at least 0.5, but got 0.1"),
        ("watch x", "--every", "nan", "at least 0.5, but got nan"),
        ("watch x", "--every", "inf", "at most 86400, but got inf"),
    ],
)
def test_a_number_that_an_option_cannot_have_is_refused_with_its_rule(
    command: str, option: str, value: str, rule: str
) -> None:
    outcome = neptune(*command.split(), option, value)
    assert_one_sentence(outcome, f"`{option}` must be {rule}.")


@pytest.mark.parametrize("command", ["search", "space show", "confirm"])
def test_the_help_on_a_space_says_that_a_file_may_have_several(command: str) -> None:
    help_text = neptune(*command.split(), "--help").out
    assert "FILE.py, FILE.py:SPACE or package.module:SPACE" in " ".join(help_text.split())


def test_an_exported_architecture_and_the_front_of_a_study_are_tried_first(
    study: Path, tmp_path: Path
) -> None:
    first = ("--first", study / "best.json", "--first", study)
    known = {trial.key for trial in read_study(study).pareto()}
    outcome = neptune("search", *QUICK, "--out", tmp_path, *first, "--dry-run")
    tried = min(len(known), 2)  # as many as there are trials
    assert f"first          {counted(tried, 'architecture')} from --first" in outcome.out
    assert neptune("search", *QUICK, "--out", tmp_path, *first).code == 0
    trials = read_study(tmp_path / "tiny-digits").trials
    assert {trial.key for trial in trials[: len(known)]} <= known
    assert trials[0].given


def test_quiet_prints_nothing(tmp_path: Path) -> None:
    outcome = neptune("search", *QUICK, "--out", tmp_path, "-q")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--space", "defualt"), ("space 'defualt' is unknown", "did you mean 'default'")),
        (("--space", "missing.py"), ("missing.py", "no file")),
        (("--data", "minst"), ("data 'minst' is unknown", "did you mean 'mnist'")),
        (("--data", "folder:/nowhere"), ("/nowhere",)),
        (("--sampler", "evolutoin"), ("sampler 'evolutoin'", "did you mean 'evolution'")),
        (
            ("--sampler", "tpe", "--sampler-kwargs", "{"),
            ("--sampler-kwargs: it is not valid JSON",),
        ),
        (("--sampler", "auto", "--sampler-kwargs", '{"x": 1}'), ("no option `x`",)),
        (("--objectives", "flops"), ("need accuracy or loss",)),
        (("--objectives", "accuracy,flpos"), ("'flpos' is unknown", "did you mean 'flops'")),
        (("--objectives", "accuracy,accuracy"), ("must differ",)),
        (("--constraint", "flops>3"), ("'flops>3'", "< or <=")),
        (("--constraint", "flops<=1"), ("space 'tiny'", "none of", "smallest seen")),
        (("--trials", 0), ("`trials` must be a whole number of at least 1, but got 0",)),
        (("--trials", -5), ("`trials` must be a whole number of at least 1, but got -5",)),
        (("--jobs", 0), ("`jobs` must be a whole number of at least 1",)),
        (("--first", "gone.json"), ("gone.json cannot be read",)),
        (("--confirm", -1), ("`--confirm` must be a whole number of at least 0", "but got -1")),
        (("--reduction", "x"), ("--reduction needs numbers", "'x'")),
        (("--rungs", "1,3", "--reduction", "5,2"), ("rungs need one reduction for all", "5,2")),
        (("--rungs", "3,1"), ("rungs need rising", "3,1")),
        (("--rungs", "a"), ("--rungs needs numbers", "'a'")),
        (("--gpus", "0,x"), ("--gpus needs numbers such as 0,1, but got '0,x'",)),
        (("--rungs", ""), ("--rungs needs numbers", "''")),
        (("--sampler", "tpe", "--seed", -1), ("`seed` must be", "but got -1")),
        (("--sampler", "tpe", "--seed", 2**32), ("`seed` must be", "but got 4294967296")),
        (("--data", "folder:"), ("data 'folder:': it needs the path of a folder",)),
        (("--data", "folder:x@100000"), ("must be 1 to 4096 pixels, but got 100000",)),
        (
            ("--sampler", "tpe", "--sampler-kwargs", '{"gamma": null}'),
            ("`sampler_kwargs.gamma` must be", "but got None"),
        ),
        (("--epochs", 0), ("`--epochs` must be a whole number of at least 1, but got 0",)),
        (("--epochs", 1, "--rungs", "1,3"), ("--epochs and --rungs exclude each other",)),
        (("--timeout", "soon"), ("--timeout needs a duration", "'soon'")),
        (("--device", "tpu"), ("device 'tpu' is unknown",)),
        (("--config", "missing.toml"), ("missing.toml cannot be read",)),
        (("--storage", "nosuch://x"), ("storage nosuch://x cannot be opened",)),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_study(
    tmp_path: Path, options: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    space = () if "--space" in options else ("--space", "tiny")
    outcome = neptune("search", *space, "--out", tmp_path / "studies", *options)
    assert_one_sentence(outcome, *parts)
    assert not list(tmp_path.rglob("study.toml"))


def test_an_unknown_option_names_the_nearest() -> None:
    outcome = neptune("search", "--trails", 3)
    assert outcome.code == 2
    assert "--trials" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--seed", 7), ("seed", "0", "7", "--study-name")),
        (("--epochs", 2), ("epochs 1, but now it is 2:", "--epochs 1")),
        (("--constraint", "flops<=100M"), ("constraints",)),
    ],
)
def test_a_study_that_contradicts_the_command_is_refused(
    study: Path, options: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    epochs = () if "--epochs" in options else ("--epochs", 1)
    outcome = neptune(
        "search", "--space", "tiny", "--trials", 3, "--out", study.parent, *epochs, *options
    )
    assert_one_sentence(outcome, str(study), *parts)


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    outcome = neptune("search", *QUICK, "--out", blocked)
    assert_one_sentence(outcome, str(blocked), "cannot be written")


def test_more_trials_continue_the_study(tmp_path: Path) -> None:
    neptune("search", *QUICK, "--out", tmp_path)
    first = read_study(tmp_path / "tiny-digits").trials
    neptune("search", *QUICK[:2], "--trials", 4, *QUICK[4:], "--out", tmp_path)
    trials = read_study(tmp_path / "tiny-digits").trials
    assert trials[:2] == first
    assert [t.state for t in trials] == [State.FINISHED] * 4


@pytest.mark.usefixtures("ctrl_c_raises")
def test_ctrl_c_while_the_results_are_printed_waits_for_the_last_line(study: Path) -> None:
    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            if "finished." in text:
                signal.raise_signal(signal.SIGINT)
            return super().write(text)

    out = Interrupting()
    asked = ("--space", "tiny", "--trials", "3", "--epochs", "1", *map(str, ALONE))
    asked = (*asked, "--out", str(study.parent))
    with (
        patch.object(sys, "argv", ["neptune-nas", "search", *asked]),
        redirect_stdout(out),
        pytest.raises(SystemExit, match="130"),
    ):
        run()
    assert out.getvalue().splitlines()[-1] == f"Best:   {study / 'best.json'}"
