"""Hand-designed networks trained as a study's own are, to compare with what it found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from neptune_nas.engine.engine import Call
from neptune_nas.engine.process import end_if_unguarded
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.metrics.counted import cost_of
from neptune_nas.metrics.trial import Score
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.report.outputs import write_outputs
from neptune_nas.search.config import Search
from neptune_nas.search.resume import check_same, study_of
from neptune_nas.study.hand_designed import Reference, read_references, write_references
from neptune_nas.study.settings import TRAINING, Settings
from neptune_nas.study.study import Study
from neptune_nas.watch import ignore

NETWORKS = ("resnet8", "resnet20", "mobilenet_v3_small", "shufflenet_v2_x0_5")

Watch = Callable[[int, int, Reference], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One network to be trained from one seed."""

    network: ReferenceNetwork
    seed: int


def run_references(
    search: Search, networks: Sequence[str] = NETWORKS, seeds: int = 1, watch: Watch = ignore
) -> Study:
    """Train hand-designed networks with the recipe, data and epochs of a search's study.

    Each is trained from `seeds` seeds of its own for as long as the study's last rung, and measured
    on the validation split. Each result is kept in `references.json` as it comes, so that a run
    that was stopped goes on, more seeds go on, and what failed is tried again. `watch` is told how
    many are done, of how many, and the latest. Raises `StudyError` for a study that trains nothing.
    """
    end_if_unguarded()
    if seeds < 1:
        raise OptionError(f"references need at least 1 seed, but got {seeds}.")
    study = study_of(search)
    chosen = networks_for(study.settings, networks)
    check_same(search, study)
    with ctrl_c_held(), search.folder.locked():
        kept = {each.name: each for each in read_references(search.folder.references)}
        kept = {n.name: Reference(n.name, cost_of(n)) for n in chosen} | kept
        jobs = missing(chosen, kept, search.seed, seeds)
        told = count(1)
        for found in scores(search, jobs):
            grown = []
            for name, score in found:
                kept[name] = kept[name].plus(score)
                grown.append(kept[name])
            write_references(search.folder.references, (r for r in kept.values() if r.scores))
            for each in grown:
                watch(next(told), len(jobs), each)
        study = study_of(search)
        write_outputs(study)
    return study


def networks_for(settings: Settings, names: Sequence[str]) -> list[ReferenceNetwork]:
    """The networks for a study's images; what cannot be trained is refused before any runs."""
    question, facts = settings.question, settings.facts
    if question.evaluator != TRAINING:
        raise StudyError(
            f"study '{settings.name}' has scores of {question.evaluator}, which trains nothing: "
            f"references need a study that trains."
        )
    if not names:
        raise OptionError("references need a network at least, such as resnet8,resnet20.")
    return [ReferenceNetwork(n, facts.input_shape, facts.classes) for n in dict.fromkeys(names)]


def missing(
    networks: Sequence[ReferenceNetwork], kept: dict[str, Reference], study_seed: int, seeds: int
) -> list[Job]:
    """What has no good score yet: first a seed of every network, then the next."""
    jobs = [
        Job(network, seed_for(study_seed, f"reference-{network.name}", repeat))
        for repeat in range(seeds)
        for network in networks
    ]
    good = {name: {s.seed for s in reference.scores if s.ok} for name, reference in kept.items()}
    return [job for job in jobs if job.seed not in good[job.network.name]]


def scores(search: Search, jobs: Sequence[Job]) -> Iterator[list[tuple[str, Score]]]:
    """The name and score of each job, as they finish: those together that do so at once."""
    if not jobs:
        return
    epochs = search.question.rungs[-1]
    with search.make_engine() as engine:
        for i, job in enumerate(jobs):
            engine.submit(Call(i, job.network, epochs, job.seed))
        while engine.pending:
            yield [(jobs[result.call.id].network.name, result.score) for result in engine.wait()]
