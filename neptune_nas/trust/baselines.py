"""Baselines: other samplers on a study's question, at equal budget."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.files.atomic import check_inside, folder_name
from neptune_nas.files.regular import is_there
from neptune_nas.report.outputs import write_outputs
from neptune_nas.samplers.factory import make_sampler
from neptune_nas.search.config import Say, Search, ignore
from neptune_nas.search.dry_run import epochs_left
from neptune_nas.search.resume import check_same, study_of
from neptune_nas.study.progress import OnProgress, is_at_work
from neptune_nas.study.settings import Settings
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.text import counted, duration
from neptune_nas.trust.loop import seconds_each

_SAMPLERS = ("random", "local")


@dataclass(frozen=True, slots=True)
class BaselineForecast:
    """A forecast of baselines: how many of `trials` are `left` to each sampler, by its name.

    `at_once`: so many trials at a time. `seconds`: by what the study's own evaluations took; None
    where none of them has a time.
    """

    trials: int
    left: Mapping[str, int]
    at_once: int
    seconds: float | None


def run_baselines(
    search: Search,
    samplers: Sequence[str] = _SAMPLERS,
    trials: int | None = None,
    watch: OnProgress | None = None,
    say: Say = ignore,
) -> Study:
    """Run the study's search again with each of `samplers`, for `trials` trials each.

    `trials`: by default as many as the study has. Each baseline is a study of its own in the
    study's folder `baselines`, and can be resumed like any other. It first tries what the study was
    told to try first. `say` is called before each with a sentence that names the sampler, and
    `watch` after each result. Raises `StudyError` while another process is at work on the study,
    since its final number of trials is not known yet.
    """
    for each in _searches(search, _checked_study(search, samplers, trials), samplers, trials):
        say(f"Searching with sampler '{each.sampler}'.")
        each.run(watch)
    study = study_of(search)
    write_outputs(study)
    return study


def forecast_baselines(
    search: Search, samplers: Sequence[str] = _SAMPLERS, trials: int | None = None
) -> BaselineForecast:
    """Return what `run_baselines` would do; raises as it does."""
    study = _checked_study(search, samplers, trials)
    left, epochs, total = {}, 0.0, len(study.trials) if trials is None else trials
    for each in _searches(search, study, samplers, trials):
        begun = study_of(each) if each.folder.exists else None
        ended = [t for t in (begun.trials if begun else ()) if t.state is not State.RUNNING]
        left[each.sampler] = max(0, total - len(ended))
        if left[each.sampler]:
            epochs += epochs_left(search.question, total, begun)
    jobs, pace = search.assembly.slots.jobs, seconds_each(study)
    return BaselineForecast(total, left, jobs, None if pace is None else pace * epochs / jobs)


def baselines_text(foreseen: BaselineForecast) -> str:
    """Return a forecast in a sentence."""
    some = {sampler: left for sampler, left in foreseen.left.items() if left}
    if not some:
        return "Nothing is left to search; only the report would be rewritten."
    about = "" if foreseen.seconds is None else f" in about {duration(foreseen.seconds)}"
    begun = f" of {foreseen.trials}"
    parts = (
        f"{counted(left, 'trial')}{begun if left < foreseen.trials else ''} with sampler '{name}'"
        for name, left in some.items()
    )
    return f"{' and '.join(parts)} would be searched, {foreseen.at_once} at once{about}."


def _checked_study(search: Search, samplers: Sequence[str], trials: int | None) -> Study:
    """Return the study to compare with; refuse what cannot be searched before anything runs."""
    study = study_of(search)
    if is_at_work(study):
        raise StudyError(
            f"another process is searching or measuring study {search.folder.path}: "
            f"wait for it, so that its baselines get as many trials."
        )
    check_same(search, study)
    _check_timed(search, study.settings)
    if not samplers:
        raise OptionError("baselines need at least one sampler, such as random,local.")
    if trials is not None and trials < 1:
        raise OptionError(f"baselines need at least 1 trial, but got {trials}.")
    for name in samplers:
        make_sampler(name, search.assembly.problem)  # refuses a misspelt one
    return study


def _searches(
    search: Search, study: Study, samplers: Sequence[str], trials: int | None
) -> Iterator[Search]:
    """Yield the search of each baseline, as it is to be run or gone on with."""
    given = [trial for trial in study.trials if trial.given]
    for sampler in dict.fromkeys(samplers):
        other = replace(
            search,
            sampler=sampler,
            sampler_kwargs={},
            trials=len(study.trials) if trials is None else trials,
            name=folder_name(sampler),
            out=search.folder.baselines,
            storage=None,
            numerics=None if search.evaluator is not None else search.assembly.numerics,
            first=given,
            latency_csv=known if is_there(known := search.folder.latencies) else None,
        )
        check_inside(search.folder.path, [other.folder.path])
        # A latency that is timed again might break a constraint that the first timing satisfied.
        times = {(name, t.key): t.values[name] for t in given for name in search.assembly.timed}
        other.assembly.costs.times.update(times)
        yield other


def _check_timed(search: Search, settings: Settings) -> None:
    """Refuse baselines whose latencies would be timed differently from the study's."""
    for name, ours in search.assembly.timed.items():
        if (theirs := settings.facts.timed.get(name)) != ours:
            raise StudyError(
                f"study {search.folder.path} has a {name} by {theirs or 'an unnamed clock'}, but "
                f"its baselines would have one by {ours}, which does not compare: search under "
                f"another name first."
            )
