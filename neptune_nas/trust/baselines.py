"""Baselines: other samplers on a study's question, at equal budget."""

from collections.abc import Sequence
from dataclasses import replace

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.files.atomic import folder_name
from neptune_nas.report.outputs import write_outputs
from neptune_nas.samplers.factory import make_sampler
from neptune_nas.search.config import Say, Search, ignore
from neptune_nas.search.resume import check_same, study_of
from neptune_nas.study.progress import OnProgress, is_at_work
from neptune_nas.study.settings import Settings
from neptune_nas.study.study import Study

_SAMPLERS = ("random", "local")


def run_baselines(
    search: Search,
    samplers: Sequence[str] = _SAMPLERS,
    trials: int | None = None,
    watch: OnProgress = ignore,
    say: Say = ignore,
) -> Study:
    """Run the study's search again with each of `samplers`, for `trials` trials each.

    `trials`: by default as many as the study has. Each baseline is a study of its own in the
    study's folder `baselines`, and can be resumed like any other. It first tries what the study was
    told to try first. `say` is called before each with a sentence that names the sampler, and
    `watch` after each result. Raises `StudyError` while another process is at work on the study,
    since its final number of trials is not known yet.
    """
    study = study_of(search)
    if is_at_work(study):
        raise StudyError(
            f"study {search.folder.path} is being searched by another process, or measured for: "
            f"wait for it, so that its baselines get as many trials."
        )
    check_same(search, study)
    _check_timed(search, study.settings)
    if not samplers:
        raise OptionError("baselines need a sampler at least, such as random,local.")
    if trials is not None and trials < 1:
        raise OptionError(f"baselines need at least 1 trial, but got {trials}.")
    for name in samplers:
        make_sampler(name, search.assembly.problem)  # refuses a misspelt name before anything runs
    given = [trial for trial in study.trials if trial.given]
    for name in samplers:
        other = replace(
            search,
            sampler=name,
            sampler_kwargs={},
            trials=len(study.trials) if trials is None else trials,
            name=folder_name(name),
            out=search.folder.baselines,
            storage=None,
            numerics=search.assembly.numerics,
            first=given,
        )
        # A latency that is timed again might break a constraint that the first timing satisfied.
        times = {(name, t.key): t.values[name] for t in given for name in search.assembly.timed}
        other.assembly.costs.times.update(times)
        say(f"Searching with sampler '{name}'.")
        other.run(watch)
    study = study_of(search)
    write_outputs(study)
    return study


def _check_timed(search: Search, settings: Settings) -> None:
    """Refuse baselines whose latencies would be timed differently from the study's."""
    for name, ours in search.assembly.timed.items():
        if (theirs := settings.facts.timed.get(name)) != ours:
            raise StudyError(
                f"study {search.folder.path} has a {name} by {theirs or 'no clock that it names'}, "
                f"but that of its baselines would be {ours}, which do not compare: search under "
                f"another name first."
            )
