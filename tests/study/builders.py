"""Studies to test with: settings, trials and a coordinator on an inline engine."""

from pathlib import Path
from typing import Any

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.counted import Cost, CostModel
from neptune_nas.metrics.registry import metric
from neptune_nas.metrics.score import Score
from neptune_nas.samplers.classic import RandomSearch
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import SpaceSampler
from neptune_nas.search.config import Search
from neptune_nas.search.coordinator import Coordinator
from neptune_nas.search.proposals import Proposer
from neptune_nas.space import Space, choice, repeat
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.objectives import directions
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.settings import Facts, Question, Settings
from neptune_nas.study.store import Store, create_store
from neptune_nas.study.trial import State, Trial
from tests.study.fakes import CLASSES, GUESS, SHAPE, OnBench

AIMS = (metric("accuracy"), metric("flops"))
SPACE: Space[Architecture] = Space(
    "few",
    Architecture(
        stages=repeat(
            Stage(
                width=choice(8, 16, 24),
                norm=choice("batch", "layer"),
                substages=repeat(Conv(kernel=choice(3, 5)), 0, 2),
            ),
            1,
            2,
        )
    ),
)


FEW: Space[Architecture] = Space(
    "fewer", Architecture(stages=(Stage(width=choice(8, 16, 24), pool=choice("max", "avg")),))
)


def question(**changes: Any) -> Question:
    return Question(space="few", **changes)


def settings(asked: Question, trials: int = 10) -> Settings:
    facts = Facts(
        space_name="few",
        space_size=str(SPACE.size),
        space_fingerprint=SPACE.fingerprint,
        data_fingerprint="0123456789abcdef",
        input_shape=SHAPE,
        classes=CLASSES,
        images=(100, 20, 20),
        guess=GUESS,
        reference=(0.1, 5e6),
        device="cpu",
        hardware="test",
        created="2026-01-01T00:00:00+00:00",
        versions={"python": "3"},
        outline=SPACE.outline,
    )
    return Settings("few-digits", trials, asked, facts)


def make_trial(number: int, accuracy: float | None, flops: int, fidelity: int = 1) -> Trial:
    architecture = SPACE[number % SPACE.size]
    scores = () if accuracy is None else (Score(fidelity, {"accuracy": accuracy, "loss": 1.0}),)
    state = State.RUNNING if accuracy is None else State.FINISHED
    values = Cost(flops // 2, 1_000, 100).values
    return Trial(number, architecture, key(architecture), values, scores=scores, state=state)


def store_in(folder: Path) -> Store:
    return create_store(sqlite_url(folder / "study.db"), "few-digits", AIMS, "a question")


def frozen_in(store: Store) -> list[FrozenTrial]:
    """Return the trials as Optuna reads them."""
    return store.storage.get_all_trials(store.study_id)


def coordinator_on(
    store: Store,
    asked: Question,
    budget: int = 10,
    *,
    sampler: BaseSampler | None = None,
    space: Space[Architecture] = SPACE,
    seconds: float | None = None,
    patience: int | None = None,
) -> Coordinator:
    costs = Costs(CostModel(SHAPE, CLASSES))
    problem = Problem(
        space, asked.objectives, cost=costs.counted, feasible=costs.feasible, seed=asked.seed
    )
    proposer = Proposer(
        problem,
        sampler or SpaceSampler(problem, RandomSearch(problem)),
        directions(asked.aims),
    )
    rungs = Rungs(asked.rungs, asked.reduction)
    made = Coordinator(
        asked,
        store,
        proposer,
        rungs,
        costs.measure,
        budget=budget,
        seconds=seconds,
        patience=patience,
    )
    made.load()
    return made


def few_search(out: Path = Path("studies"), trials: int = 10, **asked: Any) -> Search:
    """Return a search of `SPACE` for what a formula says, which trains nothing."""
    usual = {"space": SPACE, "evaluator": OnBench(), "name": "few-digits", "device": "cpu"}
    return Search(out=out, trials=trials, rungs=(1,), jobs=1, **{**usual, **asked})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
