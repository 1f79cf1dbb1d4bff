"""The comparison of a search with hand-designed networks trained like its trials."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan

from neptune_nas.metrics.registry import (
    CLASSIFICATION,
    COST,
    COUNTED,
    MACS,
    MILLION,
    PARAMS,
    Metric,
)
from neptune_nas.study.measures import main_score
from neptune_nas.study.objectives import value_of
from neptune_nas.study.references import Reference
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
_NONE = "none"


@dataclass(frozen=True, slots=True)
class _ReferenceComparison:
    """A hand-designed network and the searched trials to compare it with, if any.

    `better`: the most accurate ranked trial at no more FLOPs, even if it is less accurate.
    `cheaper`: the ranked trial of the least FLOPs that is at least as accurate.
    """

    reference: Reference
    better: Trial | None
    cheaper: Trial | None


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table on the page; in heads and cells, a remark may follow on a second line."""

    title: str
    caveat: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def heads_of(study: Study) -> tuple[str, ...]:
    """Return the heads of a study's table, with the metric that its networks are compared by."""
    further = (each.title for each in further_costs(study))
    return (HEADS[0], study.settings.question.main.title, *HEADS[2:4], *further, *HEADS[4:])


def further_costs(study: Study) -> tuple[Metric, ...]:
    """Return the costs that a study asks for and that every table lacks, but for timed ones."""
    asked = study.settings.question.costs - {each.name for each in (COST, MACS, PARAMS)}
    return tuple(each for each in COUNTED if each.name in asked)


def compare_references(study: Study) -> tuple[_ReferenceComparison, ...]:
    """Compare a study with each of its hand-designed networks, cheapest first."""
    ordered = sorted(study.references, key=lambda reference: reference.costs[COST.name])
    return tuple(_compare_reference(study, reference) for reference in ordered)


def _compare_reference(study: Study, reference: Reference) -> _ReferenceComparison:
    """Compare with one network; without trials where it could not be trained."""
    if not reference.seed_scores:
        return _ReferenceComparison(reference, None, None)
    within = [t for t in study.ranked if value_of(COST, t) <= reference.costs[COST.name]]
    as_good = [t for t in study.ranked if main_score(t) >= reference.score]
    return _ReferenceComparison(
        reference,
        better=max(within, key=lambda t: (main_score(t), -value_of(COST, t)), default=None),
        cheaper=min(as_good, key=lambda t: (value_of(COST, t), -main_score(t)), default=None),
    )


def cells(found: _ReferenceComparison, further: Sequence[Metric] = ()) -> tuple[str, ...]:
    """Return the texts of one network, one for each head; remarks on a second line.

    `further`: see `further_costs`.
    """
    reference = found.reference
    return (
        reference.name,
        "\n".join(filter(None, (_accuracy_text(reference), _seeds_text(reference)))),
        f"{reference.costs[COST.name] / MILLION:.3f}",
        short(reference.costs[PARAMS.name]),
        *(each.text(reference.costs.get(each.name, nan)) for each in further),
        _better_text(found),
        _cheaper_text(found),
    )


def reference_rows(study: Study) -> Iterator[tuple[str, ...]]:
    """Yield the texts of each hand-designed network, one for each of `heads_of`."""
    for each in compare_references(study):
        yield cells(each, further_costs(study))


def _accuracy_text(reference: Reference) -> str:
    """Return the mean accuracy, and its standard deviation where there are several seeds."""
    count = len(reference.seed_scores)
    spread = f" ± {reference.deviation:.4f}" if count > 1 else ""
    return f"{reference.score:.4f}{spread}" if count else _NONE


def _seeds_text(reference: Reference) -> str:
    """Return the number of seeds in the mean, and of failed ones with the last reason."""
    count, failures = len(reference.seed_scores), reference.failures
    good = counted(count, "seed") if count else ""
    failed = f"{len(failures)} failed: {redact(failures[-1])}" if failures else ""
    return "; ".join(filter(None, (good, failed)))


def _better_text(found: _ReferenceComparison) -> str:
    """Return the most accurate trial at no more FLOPs, and its gain in points."""
    trial = found.better
    if trial is None:
        return _NONE
    gain = 100 * (main_score(trial) - found.reference.score)
    return f"{main_score(trial):.4f}\n{gain:+.2f}, trial {trial.number}"


def _cheaper_text(found: _ReferenceComparison) -> str:
    """Return the MFLOPs of the cheapest trial at least as accurate, and their share."""
    trial = found.cheaper
    if trial is None:
        return _NONE
    ours, theirs = max(value_of(COST, trial), 1), found.reference.costs[COST.name]
    share = f"1/{theirs / ours:.3g}" if ours <= theirs else f"{ours / theirs:.3g}x"
    return f"{ours / MILLION:.3f}\n{share}, trial {trial.number}"


def caveat(study: Study) -> str:
    """Return how the networks were trained, and why that flatters the search."""
    question = study.settings.question
    epochs = question.budget(question.rungs[-1])
    return (
        f"Hand-designed networks were trained as the trials were: the study's data and recipe, "
        f"{epochs}; mean ± standard deviation over seeds, on the validation split. The trials "
        f"beside them are the best of {len(study.ranked):,} by that same split, which flatters "
        f"them and not the hand-designed networks. For a fair comparison, train both with "
        f"'neptune-nas train' and compare them on the test split."
    )


def reference_tables(studies: Sequence[Study]) -> list[PageTable]:
    """Return the comparison of each study that has hand-designed networks, for the page."""
    return [
        PageTable(
            title=TITLE + (f": {study.settings.name}" if len(studies) > 1 else ""),
            caveat=caveat(study),
            heads=heads_of(study),
            rows=tuple(reference_rows(study)),
        )
        for study in studies
        if study.references
    ]
