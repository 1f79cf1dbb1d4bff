"""The sentences of a page: a study's question, what its ranking compares, what it cost."""

from collections.abc import Sequence

from neptune_nas.errors import StudyError
from neptune_nas.report.effects import LEAST_TRIALS, Effects
from neptune_nas.report.payload import Order
from neptune_nas.report.progress import first_rung
from neptune_nas.report.tables import floor_text
from neptune_nas.report.verdict import ON_NEW_IMAGES, interval_scope, limits_text
from neptune_nas.study.measures import cost_axis
from neptune_nas.study.noise import noise
from neptune_nas.study.settings import Question
from neptune_nas.study.study import Study
from neptune_nas.text import counted, duration, redact, sentence, short


def summary(study: Study, several: bool) -> str:
    """Return a study's question in a sentence, with the study's name if there are `several`."""
    question, facts = study.settings.question, study.settings.facts
    name = f"{study.settings.name}: " if several else ""
    day = facts.created[:10].replace("-", "\N{NON-BREAKING HYPHEN}")
    budget = "up to " * (len(question.rungs) > 1) + question.budget(question.rungs[-1])
    begun = len(study.trials)
    start = ", from the weights of a trained model" * bool(question.start)
    return redact(
        f"{name}{begun:,} of {counted(max(begun, study.settings.trials), 'trial')} from the space "
        f"'{facts.space_name}' {facts.source}{limits_text(study)}, {budget} each{start}, begun "
        f"{day}."
    )


def admitted_note(studies: Sequence[Study], order: Order) -> str:
    """Return a sentence on which trials the ranking compares."""
    return " ".join(_admitted_to(study, order, len(studies) > 1) for study in studies)


def brackets_note(studies: Sequence[Study]) -> str:
    """Return a sentence on the intervals in the ranking's table; empty if it has none."""
    if all(noise(study.ranked) is None for study in studies):
        return ""
    wider = any(interval_scope(study) == ON_NEW_IMAGES for study in studies)
    return "Brackets show the 95% interval between seeds, on the same validation images" + (
        "; the interval on a card is for new images. A trial that was chosen by these "
        "images does a little worse on new ones than its accuracy here."
        if wider
        else "."
    )


def _admitted_to(study: Study, order: Order, several: bool) -> str:
    """Return a sentence on which trials of one study are ranked."""
    name = f"{study.settings.name}: " if several else ""
    try:
        count = len(study.ranking(order.by, order.min_accuracy))
    except StudyError as error:
        return redact(f"{name}{sentence(str(error))}")
    floor = floor_text(study, order.by, order.min_accuracy)
    are, those = "is" if count == 1 else "are", f": those{floor}" if floor else ""
    return f"{name}{count:,} of {counted(len(study.trials), 'trial')} {are} ranked{those}."


def beaten_note(study: Study) -> str:
    """Return a note on the front's objectives, as the figure has only two axes."""
    question = study.settings.question
    drawn = {question.main, cost_axis(question)}
    names = ", ".join(question.objectives)
    return "on both axes" if {*question.aims} == drawn else f"in all of {names}"


def corner_note(study: Study) -> str:
    """Return a note on the reference point of the hypervolume."""
    corner = corner_text(study.settings.question, study.settings.facts.reference)
    return (
        f"Hypervolume rates the whole front, from 0 to 1. It is the share of a box that the front "
        f"dominates; the box extends from the reference point ({corner}), fixed when the study "
        f"began, to {study.settings.question.main.title} 1 and cost 0."
    )


def corner_text(question: Question, corner: Sequence[float]) -> str:
    """Return the reference point of the hypervolume in words."""
    pairs = zip(question.objectives, corner, strict=True)
    return " and ".join(f"{name} {short(value)}" for name, value in pairs)


def decisions_note(study: Study, found: Effects | None, several: bool) -> dict[str, str]:
    """Return notes on the variance the forests explain; or why there are none, as `missing`."""
    if found is None:
        few = f"At least {LEAST_TRIALS} scored trials are needed to tell decisions apart."
        return {"missing": "Shown for one study at a time." if several else few}
    return {
        "missing": "",
        "trials": f"{found.trials:,}",
        "rung": study.settings.question.budget(first_rung(study)),
        "main": study.settings.question.main.title,
        "score": f"{max(found.r2_score, 0):.0%}",
        "cost": f"{max(found.r2_cost, 0):.0%}",
    }


def ledger_items(study: Study) -> dict[str, str]:
    """Return the costs of one study, by name."""
    ledger = study.ledger
    return {
        "trials finished": f"{ledger.finished:,}",
        "pruned at a lower rung": f"{ledger.pruned:,}",
        "failed": f"{ledger.failed:,}",
        "still running": f"{ledger.running:,}",
        "duplicates not trained again": f"{ledger.duplicates:,}",
        "proposals outside the constraints": f"{ledger.infeasible:,}",
        "epochs trained": f"{ledger.epochs:,}",
        "FLOPs spent in training": short(ledger.flops_trained),
        "wall clock": duration(ledger.wall_seconds),
        "evaluation, all workers": duration(ledger.worker_seconds),
        **({"confirmation": duration(ledger.confirm_seconds)} if ledger.confirm_seconds else {}),
        "share of time outside evaluations": f"{ledger.overhead:.1%}",
        "worker deaths": f"{ledger.worker_deaths:,}",
        "hypervolume reached": f"{study.hypervolume():.4f}",
    }
