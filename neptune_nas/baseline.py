"""Honest baselines: other samplers on a study's question, at equal budget."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from neptune_nas.again import check_same_data
from neptune_nas.errors import OptionError
from neptune_nas.outputs import write_outputs
from neptune_nas.samplers.factory import make_sampler
from neptune_nas.search import Search, ignore
from neptune_nas.study.progress import Progress
from neptune_nas.study.read import read_results
from neptune_nas.study.results import Results

SAMPLERS = ("random", "local")


def run_baselines(
    search: Search,
    samplers: Sequence[str] = SAMPLERS,
    trials: int | None = None,
    watch: Callable[[Progress], None] = ignore,
) -> Results:
    """Search again with each of `samplers`, `trials` each (default: as many as the study has).

    Each is a study of its own in the folder `baselines` of the study, and goes on like any other.
    """
    study = read_results(search.folder.path, search.storage)
    check_same_data(search, study.settings)
    if not samplers:
        raise OptionError("baselines need a sampler at least, such as random,local.")
    for name in samplers:
        make_sampler(name, search.problem)  # a misspelt one is refused before anything runs
    for name in samplers:
        replace(
            search,
            sampler=name,
            sampler_kwargs={},
            trials=trials or len(study.trials),
            name=name,
            out=search.folder.baselines,
            storage=None,
        ).run(watch)
    results = read_results(search.folder.path, search.storage)
    write_outputs(results)
    return results
