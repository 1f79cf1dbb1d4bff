"""The output files of a study: tables, reasons of failures, report, best architecture."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from neptune_nas.files.atomic import write_file
from neptune_nas.metrics.score import Score
from neptune_nas.models.architecture_file import save
from neptune_nas.report.page import render
from neptune_nas.report.tables import pareto_csv, trials_csv
from neptune_nas.study.export import export_trial
from neptune_nas.study.references import NO_NUMBER
from neptune_nas.study.study import Study
from neptune_nas.text import plural, redact


def write_outputs(study: Study, report: str | None = None) -> None:
    """Write the files of a study's folder besides its database.

    That is `trials.csv`; `failures.txt` where an evaluation failed; and, once a trial can be
    ranked, `pareto.csv`, `best.json` (the first of the ranking) and `report.html`, unless another
    `report` is given.
    """
    folder = study.folder
    write_file(folder / "trials.csv", trials_csv(study))
    if text := failures_text(study):
        write_file(folder / "failures.txt", text)
    else:  # what failed after the search may have worked since
        (folder / "failures.txt").unlink(missing_ok=True)
    if study.ranked:
        write_file(folder / "pareto.csv", pareto_csv(study))
        save(folder / "best.json", export_trial(study, study.best()))
        write_file(folder / "report.html", report or render([study]))


def failures_text(study: Study) -> str:
    """Return why evaluations failed, each reason once, with its trials and its first traceback.

    The trials of the search come first, then what was measured after it; of each, reasons stand in
    the order in which they first occurred. Empty where nothing failed.
    """
    by_reason: dict[tuple[str, str], list[_Failure]] = {}
    for each in (*_searched(study), *_audited(study), *_confirmed(study), *_references(study)):
        by_reason.setdefault((each.kind, each.reason), []).append(each)
    return redact("\n".join(map(_paragraph, by_reason.values())))


@dataclass(frozen=True, slots=True)
class _Failure:
    """One evaluation that failed: `kind` of what, as a noun, and the name of that."""

    kind: str
    name: str
    reason: str
    trace: str | None


def _searched(study: Study) -> Iterator[_Failure]:
    for trial in study.trials:
        if trial.failure is not None:
            yield _Failure("trial", str(trial.number), trial.failure, trial.trace)


def _audited(study: Study) -> Iterator[_Failure]:
    truths = study.full_budget.truths if study.full_budget else ()
    for truth in truths:
        yield from _failures("audit of trial", str(truth.number), (truth.score,))


def _confirmed(study: Study) -> Iterator[_Failure]:
    for trial in study.trials:
        yield from _failures("confirmation of trial", str(trial.number), trial.confirmations)


def _references(study: Study) -> Iterator[_Failure]:
    for each in study.references:
        yield from _failures("reference network", each.name, each.scores)


def _failures(kind: str, name: str, scores: Iterable[Score]) -> Iterator[_Failure]:
    for score in scores:
        if not score.ok:
            yield _Failure(kind, name, score.failure or NO_NUMBER, score.trace)


def _paragraph(failures: Sequence[_Failure]) -> str:
    """Return a reason with what it ended, and the first of the tracebacks that were kept."""
    names, first = [*dict.fromkeys(each.name for each in failures)], failures[0]
    trace = next((each.trace for each in failures if each.trace), "")
    return f"{plural(len(names), first.kind)} {', '.join(names)}: {first.reason}\n{trace}"
