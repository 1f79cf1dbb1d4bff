"""Users' strategies: in a file or a module, and one sentence for each mistake."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from optuna.samplers import BaseSampler, RandomSampler

from neptune_nas.architecture.records import Architecture
from neptune_nas.errors import OptionError, OwnCodeError
from neptune_nas.samplers.factory import make_sampler
from neptune_nas.samplers.history import History
from neptune_nas.samplers.problem import Problem, SpaceExhaustedError
from neptune_nas.samplers.sampler import SpaceSampler
from neptune_nas.search.config import Search
from tests.samplers.contract import SamplerContract
from tests.samplers.helpers import SMALL, cost, make_study, step
from tests.study.fakes import arithmetic_search
from tests.test_docs import ROOT, blocks

PROBLEM = Problem(SMALL, ("accuracy", "flops"), cost, seed=3)
HEAD = "class Mine:\n    def __init__(self, problem, to_the=10):\n        self.problem = problem\n"
CALL = "    def __call__(self, history, rng):\n"


class Cheapest:
    """The unseen architecture at a place of those with the fewest FLOPs."""

    def __init__(self, problem: Problem[Architecture], place: int = 0) -> None:
        self.problem, self.place = problem, place

    def __call__(self, history: History[Architecture], _: Random) -> Architecture:
        assert self.problem.points is not None
        left = [p for name, p in self.problem.points.items() if name not in history.seen]
        return sorted(left, key=lambda each: self.problem.costs(each)["flops"])[self.place]


class Informed(RandomSampler):
    """An Optuna sampler that knows the problem."""

    def __init__(self, problem: Problem[Any], seed: int) -> None:
        super().__init__(seed)
        self.told = problem, seed


class Silent:
    """Takes a problem and proposes nothing."""

    def __init__(self, problem: Problem[Any]) -> None:
        self.problem = problem


def own(text: str, **options: Any) -> BaseSampler:
    """Return the sampler `Mine` of a file with this text."""
    Path("mine.py").write_text(text)
    return make_sampler("mine.py:Mine", PROBLEM, options)


@pytest.fixture
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_documented")
class TestOfTheDocumentation(SamplerContract):
    name = "my_strategy.py:Lighter"

    @pytest.fixture
    def _documented(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        texts = (text for _, text in blocks(ROOT / "docs" / "samplers.md"))
        Path("my_strategy.py").write_text(next(texts))


def test_a_strategy_in_a_module_sees_costs_before_training_and_gets_its_options() -> None:
    sampler = make_sampler("tests.samplers.test_user_strategy:Cheapest", PROBLEM, {"place": -1})
    assert PROBLEM.points is not None
    flops = sorted(cost(point)["flops"] for point in PROBLEM.points.values())
    assert cost(step(make_study(sampler), SMALL))["flops"] == flops[-1] > flops[0]


def test_a_strategy_sees_what_the_search_admits(tmp_path: Path) -> None:
    limits = ("flops<=300k",)
    search = arithmetic_search(
        tmp_path,
        trials=4,
        sampler="tests.samplers.test_user_strategy:Cheapest",
        constraints=limits,
        name="cheap",
    )
    study = search.run()
    points = search.assembly.problem.points
    assert points is not None
    by_flops = sorted(search.assembly.costs.value("flops", point) for point in points.values())
    assert [trial.values["flops"] for trial in study.trials] == by_flops[:4]


def test_an_optuna_sampler_is_given_the_problem_too_and_left_as_it_is() -> None:
    sampler = make_sampler("tests.samplers.test_user_strategy:Informed", PROBLEM)
    assert isinstance(sampler, Informed)
    assert sampler.told == (PROBLEM, 3)


@pytest.mark.usefixtures("_alone")
def test_a_strategy_of_a_file_is_asked_for_whole_architectures() -> None:
    sampler = own(f"{HEAD}{CALL}        return self.problem.space[len(history.entries)]\n")
    assert isinstance(sampler, SpaceSampler)
    study = make_study(sampler)
    assert [step(study, SMALL) for _ in range(3)] == [SMALL[0], SMALL[1], SMALL[2]]


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return history.best", r"failed in line 5: AttributeError: 'History' .* no attribute"),
        ("return None", r"what is not in space 'small': `\.` is None, but must be"),
        ("return object()", r"what is not in space 'small': `\.` is <object"),
    ],
)
def test_a_strategy_that_fails_is_told_of_in_a_sentence(body: str, says: str) -> None:
    study = make_study(own(f"{HEAD}{CALL}        {body}\n"))
    with pytest.raises(OwnCodeError, match=rf"sampler 'mine\.py:Mine' .*{says}"):
        step(study, SMALL)


@pytest.mark.usefixtures("_alone")
def test_what_a_strategy_says_in_the_toolkits_own_words_is_left_as_it_is() -> None:
    head = "from neptune_nas.samplers.problem import SpaceExhaustedError\n"
    study = make_study(own(f"{head}{HEAD}{CALL}        raise SpaceExhaustedError('no more')\n"))
    with pytest.raises(SpaceExhaustedError, match="no more"):
        step(study, SMALL)


@pytest.mark.usefixtures("_alone")
def test_a_constructor_that_fails_is_told_of_in_a_sentence() -> None:
    with pytest.raises(OwnCodeError, match=r"'mine\.py:Mine' failed in line 4: ZeroDivisionError"):
        own(f"{HEAD}        1 / 0\n{CALL}        pass\n")


@pytest.mark.usefixtures("_alone")
def test_a_file_that_fails_is_told_of_in_a_sentence() -> None:
    with pytest.raises(OptionError, match=r"'mine\.py:Mine': running mine\.py failed in line 1: "):
        own("1 / 0")


@pytest.mark.usefixtures("_alone")
def test_an_option_that_a_strategy_does_not_take_is_refused() -> None:
    with pytest.raises(OptionError, match=r"has no option `to`: did you mean 'to_the'\?"):
        own(HEAD, to=3)
    with pytest.raises(OptionError, match="has no option `size`: it takes none"):
        make_sampler("tests.samplers.test_user_strategy:Silent", PROBLEM, {"size": 3})


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("gone.py:Mine", r"sampler 'gone\.py:Mine': there is no file \S*gone\.py"),
        ("no.such.module:Mine", "No module named 'no'; is it installed or on PYTHONPATH"),
        ("tests.samplers.test_user_strategy:Gone", "or one that takes a `problem` .* is missing"),
        ("tests.samplers.test_user_strategy:SMALL", "or one that takes a `problem`"),
        ("builtins:dict", "or one that takes a `problem` .* is <class 'dict'>"),
        ("tests.samplers.test_user_strategy:Silent", "but cannot be called: define it"),
    ],
)
def test_what_is_no_sampler_is_refused(where: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        make_sampler(where, PROBLEM)


def test_a_file_without_a_class_is_told_how_to_name_one() -> None:
    with pytest.raises(OptionError, match=r"works as FILE\.py:Class or package\.module:Class"):
        Search(space="tiny", sampler="mine.py")
