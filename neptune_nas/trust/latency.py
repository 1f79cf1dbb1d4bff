"""The latency of a study's picks, measured in the files that an export writes."""

from collections.abc import Iterator
from contextlib import suppress

from neptune_nas.deploy.latency import delivered_file, time_file
from neptune_nas.deploy.latency_place import Place, check_runtime, place_in
from neptune_nas.deploy.latency_table import measured, write_latencies
from neptune_nas.errors import StudyError
from neptune_nas.interrupts import ctrl_c_held, raise_held
from neptune_nas.metrics.registry import TIMED
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import make_untrained
from neptune_nas.report.outputs import write_outputs
from neptune_nas.report.verdict import picks
from neptune_nas.search.config import Say, Search
from neptune_nas.search.resume import study_of
from neptune_nas.study.latencies import latency_rows
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted

_NAME = TIMED[0].name


def measure_picks(search: Search, study: Study, say: Say) -> Study:
    """Measure the trials on the front and the recommended ones, until all of them are measured.

    A trial that breaks a limit is none of them any more, and others take its place. Each result is
    written at once, so that a second call goes on. Nothing is measured where latency is not
    predicted, or has no place. Raises `HostError` for a machine that cannot be reached.
    """
    question = study.settings.question
    place = place_in(question.latency_on)
    if place is None or _NAME not in question.costs or not any(_unmeasured(study)):
        return study
    check_runtime(place)
    say(f"Measuring the latency of the picks with {place}.")
    first, broken = len(latency_rows(search.folder)), 0
    with ctrl_c_held(), search.folder.locked():
        while (trial := next(_unmeasured(study), None)) is not None:
            raise_held()
            _measure(search, study, trial, place)
            study = study_of(search)
            broken += trial.number not in {each.number for each in study.ranked}
        write_outputs(study)
    done = len(latency_rows(search.folder)) - first
    left_out = f"; {broken} broke a limit and are left out" if broken else ""
    say(f"Measured {counted(done, 'network')}{left_out}.")
    return study


def _unmeasured(study: Study) -> Iterator[Trial]:
    """Yield the trials on the front or recommended whose latency is only predicted."""
    found = {trial.number: trial for trial in study.pareto()}
    for which in picks(study):
        with suppress(StudyError):  # no trial has all that a ranking takes
            trial = study.best(which)
            found.setdefault(trial.number, trial)
    return (trial for trial in found.values() if _NAME not in trial.predicted)


def _measure(search: Search, study: Study, trial: Trial, place: Place) -> None:
    """Measure one trial and write its latency to the study's folder."""
    facts = study.settings.facts
    of = without_study(trial.architecture, facts.input_shape, facts.classes)
    timing = time_file(delivered_file(make_untrained(of), place.runtime), place)
    row = measured(trial.architecture, timing.median, timing.spread, "pick")
    write_latencies(search.folder.latencies, (*latency_rows(search.folder), row))
