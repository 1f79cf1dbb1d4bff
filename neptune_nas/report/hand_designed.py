"""What a search found, beside hand-designed networks that were trained as its trials were."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from neptune_nas.metrics.registry import CLASSIFICATION, COST, MILLION, PARAMS
from neptune_nas.study.hand_designed import Reference
from neptune_nas.study.measures import main_score
from neptune_nas.study.objectives import value_of
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted, redact, short

TITLE = "Compared with hand-designed networks"
HEADS = (
    "network",
    CLASSIFICATION[0].title,
    COST.per[1],
    PARAMS.title,
    "best found at no more FLOPs\npoints ahead",
    "MFLOPs of the cheapest as accurate\nshare of the network's",
)
NONE = "none"


@dataclass(frozen=True, slots=True)
class Against:
    """A hand-designed network and what the search found against it, if it found anything.

    `better`: the most accurate ranked trial at no more FLOPs, be it any better or not. `cheaper`:
    the ranked trial of the least FLOPs that is at least as accurate.
    """

    reference: Reference
    better: Trial | None
    cheaper: Trial | None


def against(study: Study) -> tuple[Against, ...]:
    """The hand-designed networks of a study, cheapest first."""
    ordered = sorted(study.references, key=lambda reference: reference.costs[COST.name])
    return tuple(against_one(study, reference) for reference in ordered)


def against_one(study: Study, reference: Reference) -> Against:
    """One network; nothing is set against one that could not be trained."""
    if not reference.seed_scores:
        return Against(reference, None, None)
    within = [t for t in study.ranked if value_of(COST, t) <= reference.costs[COST.name]]
    as_good = [t for t in study.ranked if main_score(t) >= reference.score]
    return Against(
        reference,
        better=max(within, key=lambda t: (main_score(t), -value_of(COST, t)), default=None),
        cheaper=min(as_good, key=lambda t: (value_of(COST, t), -main_score(t)), default=None),
    )


def cells(found: Against) -> tuple[str, ...]:
    """One network in words, a text for each of `HEADS`; remarks follow on a second line."""
    reference = found.reference
    return (
        reference.name,
        "\n".join(filter(None, (accuracy_text(reference), seeds_text(reference)))),
        f"{reference.costs[COST.name] / MILLION:.3f}",
        short(reference.costs[PARAMS.name]),
        better_text(found),
        cheaper_text(found),
    )


def accuracy_text(reference: Reference) -> str:
    """The mean accuracy, and its standard deviation where there are several seeds."""
    count = len(reference.seed_scores)
    spread = f" ± {reference.deviation:.4f}" if count > 1 else ""
    return f"{reference.score:.4f}{spread}" if count else NONE


def seeds_text(reference: Reference) -> str:
    """Over how many seeds the mean is, and how many failed, with the last reason."""
    count, failures = len(reference.seed_scores), reference.failures
    good = counted(count, "seed") if count else ""
    failed = f"{len(failures)} failed: {redact(failures[-1])}" if failures else ""
    return "; ".join(filter(None, (good, failed)))


def better_text(found: Against) -> str:
    """The most accurate trial at no more FLOPs, and its gain in points."""
    trial = found.better
    if trial is None:
        return NONE
    gain = 100 * (main_score(trial) - found.reference.score)
    return f"{main_score(trial):.4f}\n{gain:+.2f}, trial {trial.number}"


def cheaper_text(found: Against) -> str:
    """The MFLOPs of the cheapest trial at least as accurate, and which share that is."""
    trial = found.cheaper
    if trial is None:
        return NONE
    ours, theirs = max(value_of(COST, trial), 1), found.reference.costs[COST.name]
    share = f"1/{theirs / ours:.3g}" if ours <= theirs else f"{ours / theirs:.3g}x"
    return f"{ours / MILLION:.3f}\n{share}, trial {trial.number}"


def caveat(study: Study) -> str:
    """How the networks were trained, and why that flatters the search."""
    question = study.settings.question
    epochs = question.budget(question.rungs[-1])
    return (
        f"Hand-designed networks were trained as the trials were: the study's data and recipe, "
        f"{epochs}; mean ± standard deviation over seeds, on the validation split. The trials "
        f"beside them are the best of {len(study.ranked):,} by that same split, which flatters "
        f"them and not the hand-designed networks. For a fair comparison, train both with "
        f"'neptune-nas train' and compare them on the test split."
    )


def sections(studies: Sequence[Study]) -> str:
    """The comparison of each study as HTML; empty without hand-designed networks."""
    return "".join(
        section(study, f": {study.settings.name}" if len(studies) > 1 else "")
        for study in studies
        if study.references
    )


def section(study: Study, of: str) -> str:
    """One study's comparison; `of` stands behind its title."""
    rows = "".join(map(row, against(study)))
    heads = "".join(f'<th{kind(i)} scope="col">{lines(head)}</th>' for i, head in enumerate(HEADS))
    return (
        f'<h3>{TITLE}{escape(of)}</h3><p class="note">{escape(caveat(study))}</p>'
        f'<div class="scroll compared"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def row(found: Against) -> str:
    """One network as a row of HTML."""
    name, *others = map(lines, cells(found))
    values = "".join(f"<td>{value}</td>" for value in others)
    return f'<tr><th class="text" scope="row">{name}</th>{values}</tr>'


def lines(text: str) -> str:
    """A text as HTML, its second line small."""
    first, _, remark = map(escape, text.partition("\n"))
    return f"{first}<small>{remark}</small>" if remark else first


def kind(column: int) -> str:
    """The class of a heading: names stand left, numbers right."""
    return "" if column else ' class="text"'
