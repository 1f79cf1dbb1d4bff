"""The sections of the page that are plain HTML: the answer, the trust, the ledger."""

from collections.abc import Sequence
from html import escape
from math import isfinite
from pathlib import Path

from neptune_nas.architecture.description import duration, short
from neptune_nas.errors import ArchitectureError, OwnCodeError, StudyError
from neptune_nas.metrics.trial import Trial
from neptune_nas.nn.builder import is_buildable
from neptune_nas.redact import redact
from neptune_nas.report.checklist import MARKS, Check, checklist
from neptune_nas.report.comparison import Compared, compare
from neptune_nas.report.drawing import model_for
from neptune_nas.report.effects import LEAST_TRIALS, Effects
from neptune_nas.report.objectives import TITLES, others, value_text
from neptune_nas.report.payload import Order
from neptune_nas.report.progress import first_rung
from neptune_nas.report.svg import draw_svg
from neptune_nas.report.tables import floor_text
from neptune_nas.study.measures import (
    accuracy,
    accuracy_per_gflop,
    cost_axis,
    efficiency,
    efficiency_unit,
)
from neptune_nas.study.ranking import WITHIN, Standing, ranked_as
from neptune_nas.study.settings import TABLE
from neptune_nas.study.study import Study
from neptune_nas.text import counted

PICKS = {"efficiency": "Most efficient", "knee": "Knee of the front", "accuracy": "Most accurate"}
SHOWN = ("accuracy", "flops", "params", "activations", "latency")  # on every card
FILES = {"Most efficient": "efficient", "Knee of the front": "knee", "Most accurate": "accurate"}


def summary(studies: Sequence[Study]) -> str:
    """The line under the heading."""
    return "<br>".join(summary_of(study, len(studies) > 1) for study in studies)


def summary_of(study: Study, several: bool) -> str:
    """What one study asked, in a sentence."""
    question, facts = study.settings.question, study.settings.facts
    name = f"{study.settings.name}: " if several else ""
    day = facts.created[:10].replace("-", "\N{NON-BREAKING HYPHEN}")
    budget = "up to " * (len(question.rungs) > 1) + question.budget(question.rungs[-1])
    begun = len(study.trials)
    text = (
        f"{name}{begun:,} of {counted(max(begun, study.settings.trials), 'trial')} from the space "
        f"'{facts.space_name}' {measured_on(study)}, {budget} each, begun {day}."
    )
    return escape(redact(text))


def measured_on(study: Study) -> str:
    """Name the data, or the table of networks that nothing can build, whose data nobody checked."""
    question = study.settings.question
    ours = any(is_buildable(trial.architecture) for trial in study.trials)
    if question.evaluator.startswith(TABLE) and not ours:
        return f"in {Path(question.evaluator.removeprefix(TABLE)).name}"
    return f"on {question.data}"


def answer(studies: Sequence[Study], commands: Sequence[str], order: Order) -> str:
    """The three picks of each study; of several, first how they compare."""
    parts = [comparison(studies)] if len(studies) > 1 else []
    for study, folder in zip(studies, commands, strict=True):
        heading = f"<h3>{escape(study.settings.name)}</h3>" if len(studies) > 1 else ""
        try:
            parts.append(f"{heading}{cards(study, folder, order)}")
        except StudyError as error:
            parts.append(f'{heading}<p class="note">{escape(redact(str(error)))}</p>')
    return "".join(parts)


def comparison(studies: Sequence[Study]) -> str:
    """The studies in numbers, beside each other."""
    try:
        found = compare(studies, force=True)
    except StudyError as error:
        return f'<p class="note">{escape(redact(str(error)))}</p>'
    heads = ("trials", "best accuracy", "first in the ranking", "hypervolume", "evaluation")
    own = others(studies[0].settings.question, ("accuracy", "flops"))
    rows = "".join(comparison_row(compared, own) for compared in found)
    titles = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="scroll compared"><table><thead><tr><th class="text" scope="col">study</th>'
        f"{titles}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def comparison_row(compared: Compared, own: Sequence[str]) -> str:
    """One study of the comparison; `own`: its objectives beside accuracy and FLOPs."""
    trial = compared.first
    spent = f" at {short(trial.cost.flops)} FLOPs" if trial.cost.flops else ""
    values = [f"{TITLES[name]} {value_text(name, trial)}" for name in own]
    cells = (
        f"{compared.trials:,}",
        f"{compared.best_accuracy:.4f}",
        ", ".join([f"{accuracy(trial):.4f}{spent}", *values]),
        f"{compared.hypervolume:.4f}",
        duration(compared.worker_seconds),
    )
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th class="text" scope="row">{escape(compared.name)}</th>{row}</tr>'


def cards(study: Study, folder: str, order: Order) -> str:
    """A card for each pick; picks that fall on one trial share it.

    Where no trial's cost is known, that of the study's own ranking is the only one.
    """
    picked: dict[int, list[str]] = {}
    first: dict[int, Standing] = {}
    usual = ranked_as(study.settings.question)
    priced = any(isfinite(efficiency(study.settings, trial)) for trial in study.ranked)
    picks = [pick for pick in PICKS.items() if priced or pick[0] == usual]
    for which, title in sorted(picks, key=lambda pick: pick[0] != usual):
        standing = study.ranking(which, order.min_accuracy)[0]
        number = standing.trial.number
        first[number] = standing
        picked.setdefault(number, []).append(title)
    floor = least(order)
    inner = "".join(
        card(study, first[number], titles, folder, floor) for number, titles in picked.items()
    )
    return f'<div class="cards">{inner}</div>'


def least(order: Order) -> str:
    """Among which networks the most efficient was looked for."""
    if order.min_accuracy is not None:
        return f"with an accuracy of at least {order.min_accuracy:g}"
    return f"within {100 * WITHIN:g} points of the best"


def card(study: Study, standing: Standing, titles: list[str], folder: str, floor: str) -> str:
    """One pick: its accuracy, costs, drawing, and the command that exports it."""
    trial = standing.trial
    first = " first" if PICKS[ranked_as(study.settings.question)] in titles else ""
    words = f"neptune-nas|export|{folder}|--trial {trial.number}|-o {FILES[titles[0]]}.json"
    command = " ".join(f"<span>{escape(word)}</span>" for word in words.split("|"))
    among = {PICKS["efficiency"]: f" {floor}"}
    heading = " · ".join(f"{title}{among.get(title, '')}" for title in titles)
    return (
        f'<article class="card{first}" data-number="{trial.number}">'
        f"<h3>{heading}</h3>"
        f'<p class="big">{100 * standing.accuracy:.2f}%<small>validation accuracy</small></p>'
        f"{costs(study, standing)}{drawing(study, trial)}"
        f'<div class="command"><code>{command}</code>'
        f'<button type="button" data-copy>Copy</button></div></article>'
    )


def costs(study: Study, standing: Standing) -> str:
    """A pick's costs as a list, below the interval of its accuracy where one is known."""
    trial, items = standing.trial, {}
    if standing.low is not None and standing.high is not None:
        interval = f"{100 * standing.low:.2f} to {100 * standing.high:.2f}%"
        items[f"95% interval, {counted(standing.seeds, 'seed')}"] = interval
    own = others(study.settings.question, SHOWN)
    items |= {
        **{TITLES[name]: value_text(name, trial) for name in own},
        "FLOPs": value_text("flops", trial),
        "parameters": value_text("params", trial),
        "activations": value_text("activations", trial),
    }
    if trial.latency is not None:
        kind = f" ({study.settings.latency})" if study.settings.latency else ""
        items[f"latency{kind}"] = f"{trial.latency:.3g} ms"
    unit = efficiency_unit(study.settings.question)
    items[f"(accuracy - chance)/{unit}"] = f"{efficiency(study.settings, trial):.4g}"
    items["accuracy/GFLOPs"] = f"{accuracy_per_gflop(trial):.4g}"
    items["trial"] = str(trial.number)
    known = {name: text for name, text in items.items() if text not in ("-", "nan")}
    return definitions(known, "costs")


def drawing(study: Study, trial: Trial) -> str:
    """A pick's network."""
    facts = study.settings.facts
    try:
        return draw_svg(trial.architecture, model_for(facts.input_shape, facts.classes))
    except (ArchitectureError, OwnCodeError) as error:
        return f'<p class="note">{escape(str(error))}</p>'


def admitted_note(studies: Sequence[Study], order: Order) -> str:
    """Which trials the ranking compares."""
    return " ".join(admitted_to(study, order, len(studies) > 1) for study in studies)


def admitted_to(study: Study, order: Order, several: bool) -> str:
    """Which trials of one study are in the ranking."""
    name = f"{study.settings.name}: " if several else ""
    try:
        count = len(study.ranking(order.by, order.min_accuracy))
    except StudyError as error:
        return escape(redact(f"{name}{error}"))
    floor = floor_text(study, order.by, order.min_accuracy)
    are, those = "is" if count == 1 else "are", f": those{floor}" if floor else ""
    return escape(f"{name}{count:,} of {counted(len(study.trials), 'trial')} {are} ranked{those}.")


def beaten(study: Study) -> str:
    """In what no other trial beats those of the front: the figure has two axes, and no more."""
    question = study.settings.question
    drawn = {"accuracy", cost_axis(question)}
    names = ", ".join(question.objectives)
    return "on both axes" if {*question.objectives} == drawn else f"in all of {names}"


def reference_note(study: Study) -> str:
    """What the hypervolume is measured from."""
    question, corner = study.settings.question, study.settings.facts.reference
    pairs = zip(question.objectives, corner, strict=True)
    text = " and ".join(f"{name} {short(value)}" for name, value in pairs)
    return escape(
        f"The box reaches from the reference point ({text}), fixed when the study began, "
        f"to accuracy 1 and cost 0; 1 would be all of it."
    )


def decisions(study: Study, found: Effects | None, several: bool) -> str:
    """What mattered, or why nothing can be said."""
    if found is None:
        reason = (
            "Shown for one study at a time."
            if several
            else f"At least {LEAST_TRIALS} scored trials are needed to tell decisions apart."
        )
        return f'<p class="note">{reason}</p>'
    rung = study.settings.question.budget(first_rung(study))
    return (
        f'<p class="note">From {found.trials:,} trials after {rung}, which all of them '
        f"had. A "
        f"random forest on the decisions explains <b>{max(found.r2_accuracy, 0):.0%}</b> of the "
        f"variance of accuracy and <b>{max(found.r2_cost, 0):.0%}</b> of that of cost on trials "
        f"that it did not see; importance is what it loses when a decision is shuffled. Where it "
        f"explains little, the order of the decisions means little.</p>"
        f'<h3>Importance of each decision</h3><div class="figure" data-figure="importance" '
        f'role="img" aria-label="Importance of each decision"></div>'
        f'<h3>Effect of each option</h3><p class="note">Against the mean of all trials that took '
        f"the decision, bars are 95% intervals. The search does not draw evenly, so these are "
        f'associations.</p><div class="figure" data-figure="effects" role="img" '
        f'aria-label="Effect of each option"></div>'
    )


def trust(studies: Sequence[Study]) -> str:
    """The honest-evaluation checklist of each study."""
    return "".join(
        (f"<h3>{escape(study.settings.name)}</h3>" if len(studies) > 1 else "")
        + f'<ul class="checks">{"".join(map(check_item, checklist(study)))}</ul>'
        for study in studies
    )


def check_item(check: Check) -> str:
    """One claim of the checklist."""
    kind, mark, word = MARKS[check.holds]
    return (
        f'<li class="{kind}"><span class="mark" role="img" aria-label="{word}">{mark}</span>'
        f"<b>{escape(check.claim)}</b><span>{escape(redact(check.evidence))}</span></li>"
    )


def ledger(studies: Sequence[Study]) -> str:
    """What each study cost."""
    return "".join(
        (f"<h3>{escape(study.settings.name)}</h3>" if len(studies) > 1 else "")
        + definitions(ledger_items(study), "facts")
        for study in studies
    )


def ledger_items(study: Study) -> dict[str, str]:
    """The sums of one study."""
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
        "share of time not in evaluations": f"{ledger.overhead:.1%}",
        "worker deaths": f"{ledger.worker_deaths:,}",
        "hypervolume reached": f"{study.hypervolume():.4f}",
    }


def definitions(items: dict[str, str], kind: str) -> str:
    """A list of names and values."""
    inner = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        if kind == "facts"
        else f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in items.items()
    )
    return f'<dl class="{kind}">{inner}</dl>'
