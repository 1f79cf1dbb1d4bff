"""The sections of the page that are plain HTML: the answer, the trust, the ledger."""

from collections.abc import Sequence
from html import escape
from math import isfinite

from neptune_nas.errors import ArchitectureError, OwnCodeError, StudyError
from neptune_nas.metrics.registry import COST, COSTS, Metric
from neptune_nas.report.checklist import MARKS, Check, checklist
from neptune_nas.report.comparison import Compared, compare
from neptune_nas.report.drawing import model_for
from neptune_nas.report.effects import LEAST_TRIALS, Effects
from neptune_nas.report.objectives import others, value_text
from neptune_nas.report.payload import Order
from neptune_nas.report.progress import first_rung
from neptune_nas.report.svg import draw_svg
from neptune_nas.report.tables import floor_text
from neptune_nas.study.measures import (
    cost_axis,
    efficiency,
    efficiency_unit,
    main_score,
    score_per_gflop,
)
from neptune_nas.study.ranking import EFFICIENCY, KNEE, WITHIN, Standing, ranked_as
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted, duration, redact, short

MOST_ACCURATE = "Most accurate"
PICKS = {EFFICIENCY: "Most efficient", KNEE: "Knee of the front"}
FILES = {"Most efficient": "efficient", "Knee of the front": "knee", MOST_ACCURATE: "accurate"}


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
        f"'{facts.space_name}' {facts.source}, {budget} each, begun {day}."
    )
    return escape(redact(text))


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
    own = others(studies[0].settings.question, (COST,))
    rows = "".join(comparison_row(compared, own) for compared in found)
    titles = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<div class="scroll compared"><table><thead><tr><th class="text" scope="col">study</th>'
        f"{titles}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def comparison_row(compared: Compared, own: Sequence[Metric]) -> str:
    """One study of the comparison; `own`: its objectives beside accuracy and FLOPs."""
    trial = compared.first
    flops = trial.values.get(COST.name)
    spent = f" at {short(flops)} {COST.title}" if flops else ""
    values = [f"{aim.title} {value_text(aim, trial)}" for aim in own]
    cells = (
        f"{compared.trials:,}",
        f"{compared.best_score:.4f}",
        ", ".join([f"{main_score(trial):.4f}{spent}", *values]),
        f"{compared.hypervolume:.4f}",
        duration(compared.worker_seconds),
    )
    row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th class="text" scope="row">{escape(compared.name)}</th>{row}</tr>'


def picks_of(study: Study) -> dict[str, str]:
    """Return the rankings whose first trial has a card, with its heading."""
    return {**PICKS, study.settings.question.main.name: MOST_ACCURATE}


def cards(study: Study, folder: str, order: Order) -> str:
    """A card for each pick; picks that fall on one trial share it.

    Where no trial's cost is known, that of the study's own ranking is the only one.
    """
    picked: dict[int, list[str]] = {}
    first: dict[int, Standing] = {}
    usual = ranked_as(study.settings.question)
    priced = any(isfinite(efficiency(study.settings, trial)) for trial in study.ranked)
    picks = [pick for pick in picks_of(study).items() if priced or pick[0] == usual]
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
    first = " first" if picks_of(study)[ranked_as(study.settings.question)] in titles else ""
    words = f"neptune-nas|export|{folder}|--trial {trial.number}|-o {FILES[titles[0]]}.json"
    command = " ".join(f"<span>{escape(word)}</span>" for word in words.split("|"))
    among = {PICKS[EFFICIENCY]: f" {floor}"}
    heading = " · ".join(f"{title}{among.get(title, '')}" for title in titles)
    return (
        f'<article class="card{first}" data-number="{trial.number}">'
        f"<h3>{heading}</h3>"
        f'<p class="big">{100 * standing.score:.2f}%<small>validation '
        f"{study.settings.question.main.title}</small></p>"
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
    settings = study.settings
    for metric in (*others(settings.question, COSTS), *COSTS):
        kind = f" ({settings.timed_as(metric)})" if settings.timed_as(metric) else ""
        items[f"{metric.title}{kind}"] = value_text(metric, trial)
    unit = efficiency_unit(study.settings.question)
    items[f"(accuracy - chance)/{unit}"] = f"{efficiency(study.settings, trial):.4g}"
    items["accuracy/GFLOPs"] = f"{score_per_gflop(trial):.4g}"
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
    drawn = {question.main, cost_axis(question)}
    names = ", ".join(question.objectives)
    return "on both axes" if {*question.aims} == drawn else f"in all of {names}"


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
