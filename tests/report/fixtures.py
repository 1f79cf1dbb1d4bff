"""Studies that never ran: random architectures of the default space with plausible scores."""

import importlib.util
from dataclasses import replace
from functools import cache
from math import exp, log, log10
from pathlib import Path
from random import Random
from typing import Any

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture, Attention
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.score import Score
from neptune_nas.report.drawing import model_for
from neptune_nas.space import Space
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.references import Reference
from neptune_nas.study.settings import Facts, Question, Settings
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial

INPUT, CLASSES, CHANCE = (1, 8, 8), 10, 0.1
RUNGS = (1, 3, 9)
FAILURES = ("loss is not finite", "out of memory")
MODEL = model_for(INPUT, CLASSES)


@cache
def default_space() -> Space[Architecture]:
    """Return the space that the repository ships as `default`."""
    path = Path(__file__).parents[2] / "search_spaces" / "default.py"
    spec = importlib.util.spec_from_file_location("default_space", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    space: Space[Architecture] = module.SPACE
    return space


def plain_trial(
    number: int, accuracy: float | None, macs: int, seeds: tuple[float, ...] = ()
) -> Trial:
    """Return a trial of a tiny network at the last rung, with this accuracy, or one a seed."""
    found = seeds or (() if accuracy is None else (accuracy,))
    return Trial(
        number=number,
        architecture=Architecture(),
        key=f"{number:016x}",
        values=Cost(macs=macs, params=1000 + number, activations=100).values,
        scores=tuple(
            Score(RUNGS[-1], {"accuracy": value, "loss": 1.0}, seed=i)
            for i, value in enumerate(found)
        ),
        state=State.FINISHED if found else State.FAILED,
        failure=None if found else "loss is not finite",
    )


def timed(trial: Trial, latency: float) -> Trial:
    """Return the trial with a latency in ms."""
    return replace(trial, values={**trial.values, "latency": latency})


def plain_results(*trials: Trial, name: str = "plain", **question: Any) -> Study:
    """Return a study of these trials; `question` replaces fields of its question."""
    asked = replace(Question(space="default", rungs=RUNGS), **question)
    return Study(Path("studies") / name, make_settings(name, 9, asked), trials, make_ledger(trials))


def beside(
    *seeds: float,
    plain: tuple[float, ...] = (0.80, 0.81, 0.82),
    cost: int = 500_000,
    **question: Any,
) -> Study:
    """Return a study whose best has these seeds, beside a plain network of 832 kFLOPs."""
    study = plain_results(
        plain_trial(0, None, cost // 2, seeds=seeds), plain_trial(1, 0.5, 400_000), **question
    )
    return replace(study, references=(make_reference("plain-8", *plain),))


@cache
def make_results(trials: int = 200, seed: int = 0, name: str = "digits") -> Study:
    """Return a finished study of `trials` trials."""
    rng = Random(seed)
    made = tuple(make_trial(number, rng) for number in range(trials))
    question = Question(
        space="default", objectives=("accuracy", "flops"), rungs=RUNGS, sampler="auto", seed=seed
    )
    return Study(
        folder=Path("studies") / name,
        settings=make_settings(name, trials, question),
        trials=made,
        ledger=make_ledger(made),
        references=(make_reference("hand-made", 0.951),),
    )


def make_reference(name: str, *accuracies: float, macs: int = 416_000) -> Reference:
    """Return a hand-designed network with these accuracies, one a seed."""
    scores = (
        Score(RUNGS[-1], {"accuracy": value, "loss": 1.0}, seed=i)
        for i, value in enumerate(accuracies)
    )
    return Reference(name, Cost(macs, 61_706, 10_000).values, tuple(scores))


def make_settings(name: str, trials: int, question: Question) -> Settings:
    """Return what such a study would have been asked."""
    facts = Facts(
        space_name="default",
        space_size="131129155584",
        space_fingerprint="0123456789abcdef",
        outline=default_space().outline,
        data_fingerprint="fedcba9876543210",
        input_shape=INPUT,
        classes=CLASSES,
        images=(1149, 288, 360),
        guess={"accuracy": CHANCE, "loss": log(CLASSES)},
        reference=(CHANCE, *(5_000_000.0 for _ in question.objectives[1:])),
        device="cpu",
        hardware="a CPU with 2 cores",
        created="2026-01-01T12:00:00Z",
        versions={"neptune-nas": "0.1.0", "torch": "2.14.1", "optuna": "5.0.0"},
    )
    return Settings(name, trials, question, facts)


def draw_architecture(rng: Random) -> tuple[Architecture, Cost]:
    """Return an architecture that 8x8 images fit, and its exact cost."""
    while True:
        architecture = default_space().sample(rng)
        try:
            return architecture, MODEL.cost(architecture)
        except ArchitectureError:
            continue


def make_trial(number: int, rng: Random) -> Trial:
    """One trial: better with more FLOPs, batch norm and attention; one in forty fails."""
    architecture, cost = draw_architecture(rng)
    start = 1.767e9 + number * 1.1
    failure = rng.choice(FAILURES) if rng.random() < 0.025 else None
    rungs = RUNGS[: 1 + (rng.random() < 0.55) + (rng.random() < 0.7)]
    quality = make_quality(architecture, cost, rng)
    scores = tuple(
        Score(
            rung,
            {
                "accuracy": round(max(CHANCE, quality * (1 - 0.25 * exp(-rung / 3))) * 288) / 288,
                "loss": 1.2 * (1 - quality) + 0.3 / rung,
            },
            seed=number,
            seconds=0.3 + 0.25 * rung + rng.random() * 0.2,
            started=start + i * 1.4,
            worker=number % 2,
        )
        for i, rung in enumerate(rungs)
    )
    if failure:
        scores = (Score(1, started=start, seconds=0.2, failure=failure),)
    finished = State.FINISHED if rungs == RUNGS else State.PRUNED
    return Trial(
        number=number,
        architecture=architecture,
        key=key(architecture),
        values=cost.values,
        picks=default_space().picks(architecture),
        scores=scores,
        state=State.FAILED if failure else finished,
        failure=failure,
    )


def make_quality(architecture: Architecture, cost: Cost, rng: Random) -> float:
    """Return the accuracy that a network of this cost would end at, 0..1."""
    quality = 0.99 - 0.35 * exp(-1.6 * max(log10(cost.flops) - 4.6, 0))
    quality += 0.006 * sum(stage.norm == "batch" for stage in architecture.stages)
    quality += 0.004 * any(
        isinstance(sub, Attention) for stage in architecture.stages for sub in stage.substages
    )
    return min(quality - abs(rng.gauss(0, 0.02)), 0.995)


def make_ledger(trials: tuple[Trial, ...]) -> Ledger:
    """Return the sums that such trials would leave."""
    failures: dict[str, int] = {}
    for trial in trials:
        if trial.failure:
            failures[trial.failure] = failures.get(trial.failure, 0) + 1
    scores = [score for trial in trials for score in trial.scores]
    busy = sum(score.seconds for score in scores)
    return Ledger(
        finished=sum(t.state is State.FINISHED for t in trials),
        pruned=sum(t.state is State.PRUNED for t in trials),
        failed=sum(t.state is State.FAILED for t in trials),
        duplicates=3,
        infeasible=12,
        failures=failures,
        epochs=sum(score.fidelity for score in scores if score.ok),
        flops_trained=sum(
            3.0 * t.values.get("flops", 0) * 1149 * s.fidelity for t in trials for s in t.scores
        ),
        worker_seconds=busy,
        wall_seconds=busy / 1.8,
        slot_seconds=busy / 0.9,
    )
