"""Searches whose networks learn from a teacher."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.proxy_first import ProxyFirst
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.models.model import make_untrained, save_model
from neptune_nas.models.teacher_outputs import TeacherSource
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.report.comparison import check_comparable
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import dry_run
from neptune_nas.search.resume import arguments_in, search_of
from neptune_nas.study.study import Study
from neptune_nas.trust.confirm import run_confirm
from tests.evaluators.contract import SMALL

CODE = """
from neptune_nas.models.model import load_model

def big():
    return load_model({file!r})
"""


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a model for the digits; it guesses, which makes no difference here."""
    file = tmp_path_factory.mktemp("teacher") / "big.safetensors"
    save_model(file, make_untrained(ReferenceNetwork("resnet8", (1, 8, 8), 10)))
    return file


def asked(out: Path, teacher: object, **changes: object) -> Search:
    search = Search("tiny", "digits#100", trials=1, rungs=(1,), jobs=1, threads=1, out=out)
    return replace(search, teacher=teacher, teacher_views=2, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(big: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a finished study with a teacher."""
    said: list[str] = []
    study = asked(tmp_path_factory.mktemp("studies"), big).run(say=said.append)
    assert any(each.startswith(f"The teacher, {big}: accuracy 0.") for each in said)
    assert any("Computing the teacher's outputs: " in each for each in said)
    return study


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a finished study without one."""
    return asked(tmp_path_factory.mktemp("plain"), None).run()


def test_a_study_says_who_taught_its_networks(made: Study, big: Path) -> None:
    question, facts = made.settings.question, made.settings.facts
    assert (len(question.teacher_digest), question.teacher_views) == (16, 2)
    assert facts.teacher == str(big)
    assert any("no better than guessing" in each for each in facts.choices)
    assert {each.name for each in (made.folder / "shared").iterdir()} == {
        "teacher.json",
        "teacher.npy",
    }


def test_scores_are_others_than_without_one(made: Study, plain: Study) -> None:
    assert plain.trials[0].key == made.trials[0].key
    assert plain.trials[0].scores[0].values != made.trials[0].scores[0].values
    with pytest.raises(StudyError, match=r"learn from different teachers .* and none"):
        check_comparable([made, plain], force=False)


def test_a_study_goes_on_and_is_confirmed_when_its_teachers_file_is_gone(
    made: Study, tmp_path: Path
) -> None:
    folder = copytree(made.folder, tmp_path / made.folder.name)
    teacher = Path(made.settings.facts.teacher)
    hidden = teacher.rename(tmp_path / "hidden")
    said: list[str] = []
    try:
        asked(tmp_path, teacher, trials=2).run(say=said.append)
        again = search_of(folder)
        assert (again.teacher, again.teacher_views) == (str(teacher), 2)
        confirmed = run_confirm(replace(again, jobs=1, threads=1), evaluations=1)
        assert any(trial.confirmations for trial in confirmed.trials)
    finally:
        hidden.rename(teacher)
    assert not any("Computing" in each for each in said)


def test_another_teacher_is_refused(made: Study, big: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_model(other, make_untrained(ReferenceNetwork("resnet8", (1, 8, 8), 10), seed=1))
    out = made.folder.parent
    for search, message in (
        (asked(out, other), rf"with teacher '{big} \(\w+\)', but now it is '{other} \(\w+\)'"),
        (asked(out, None), r"but now it is 'none': .* give it as `teacher` \(--teacher\)"),
        (replace(asked(out, big), teacher_views=3), r"views 2, but now it is 3: .*-views 2\)"),
    ):
        with pytest.raises(StudyError, match=message):
            search.run()
        with pytest.raises(StudyError, match=message):
            dry_run(search)


def test_a_teacher_where_there_was_none_is_refused(big: Path, plain: Study) -> None:
    with pytest.raises(StudyError, match=r"with teacher 'none', but now .* leave it out"):
        asked(plain.folder.parent, big).run()


def test_code_of_a_study_from_elsewhere_is_not_run(big: Path, tmp_path: Path) -> None:
    code = tmp_path / "mine.py"
    code.write_text(CODE.format(file=str(big)))
    study = asked(tmp_path / "studies", f"{code}:big").run()
    assert search_of(study.folder).teacher == f"{code}:big"  # the user has run it for this study
    code.write_text(code.read_text() + "\n")
    with pytest.raises(StudyError, match=r"`teacher` is .* that you have not run for this study"):
        search_of(study.folder)
    file = study.folder / "study.toml"
    assert arguments_in(file, {"teacher": f"{code}:big"})["teacher"] == f"{code}:big"


def test_a_teacher_that_cannot_teach_leaves_no_folder(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_model(other, make_untrained(ReferenceNetwork("resnet8", (1, 8, 8), 9)))
    with pytest.raises(OptionError, match="must have the 10 classes"):
        asked(tmp_path / "studies", other).run()
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize("other", ["table", "evaluator"])
def test_what_trains_nothing_takes_no_teacher(other: str, big: Path, tmp_path: Path) -> None:
    given = {"table": tmp_path / "x.csv", "evaluator": lambda *_: None}
    with pytest.raises(OptionError, match=f"`teacher` and `{other}` exclude each other"):
        asked(tmp_path, big, **{other: given[other]})


def test_an_evaluator_with_a_teacher_must_be_prepared(big: Path, tmp_path: Path) -> None:
    evaluator = ShortTraining("digits#100", teacher=TeacherSource(str(big), 2))
    with pytest.raises(OptionError, match=r"call `prepare\(folder\)`"):
        evaluator(SMALL, 1, 0)
    ready = evaluator.prepare(tmp_path)
    plain = ShortTraining("digits#100")
    assert ready(SMALL, 1, 0).values == evaluator.prepare(tmp_path)(SMALL, 1, 0).values
    assert ready(SMALL, 1, 0).values != plain(SMALL, 1, 0).values
    assert plain.prepare(tmp_path) == plain


def test_a_proxy_is_left_alone_by_a_teacher(big: Path, tmp_path: Path) -> None:
    training = ShortTraining("digits#100", teacher=TeacherSource(str(big), 2))
    both = ProxyFirst(ZeroCost("synflow", "digits#100", None), training)
    ready = both.prepare(tmp_path)
    assert ready.training == training.prepare(tmp_path)
    assert ready(SMALL, 0, 0).values == both(SMALL, 0, 0).values
