"""Reference networks, trained as a study's own networks are, for comparison with its results."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from neptune_nas.data.load import task_named
from neptune_nas.engine.engine import Call, Result
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.files.rules import SeedCount
from neptune_nas.files.schema import check_value
from neptune_nas.metrics.counted import DEVICE, cost_of, device_values
from neptune_nas.nn.references import PLAIN, ReferenceNetwork, reference_task
from neptune_nas.search.config import Search
from neptune_nas.study.folder import Folder
from neptune_nas.study.references import Reference, read_references, write_references
from neptune_nas.study.settings import Settings
from neptune_nas.study.study import Study
from neptune_nas.trust.loop import Forecast, OnStep, follow_up, forecast


@dataclass(frozen=True, slots=True)
class _ReferenceJob:
    """One reference network to train from one seed."""

    network: ReferenceNetwork
    seed: int


@dataclass(slots=True)
class _References:
    """Reference networks trained with a study's recipe, each from several seeds."""

    study: Study
    networks: Sequence[ReferenceNetwork]
    seeds: int
    known: dict[str, Reference] = field(init=False)
    jobs: list[_ReferenceJob] = field(init=False)
    begun: int = field(init=False, default=0)
    done: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        kept = read_references(Folder(self.study.folder).references)
        on_device = not DEVICE.keys().isdisjoint(self.study.settings.question.costs)
        fresh = {
            n.name: Reference(
                n.name, {**cost_of(n).values, **(device_values(n) if on_device else {})}
            )
            for n in self.networks
        }
        self.known = fresh | {each.name: each for each in kept}
        seed = self.study.settings.question.seed
        self.jobs = _missing_jobs(self.networks, self.known, seed, self.seeds)

    @property
    def fidelity(self) -> int:
        """The study's last rung."""
        return self.study.settings.question.rungs[-1]

    @property
    def missing(self) -> int:
        """The number of trainings still to be completed."""
        return len(self.jobs) - self.done

    def calls(self) -> Iterator[Call]:
        """Yield the jobs that have not begun; the id is the index of the job."""
        while self.begun < len(self.jobs):
            job, place = self.jobs[self.begun], self.begun
            self.begun += 1
            yield Call(place, job.network, self.fidelity, job.seed)

    def take(self, results: Sequence[Result]) -> list[str]:
        """Write scores to `references.json`."""
        texts = []
        for result in results:
            name, score = self.jobs[result.call.id].network.name, result.score
            self.known[name] = self.known[name].plus(score)
            found = f"{score.main:.4f}" if score.ok else f"failed: {score.failure}"
            texts.append(f"{name}: {found}")
        self.done += len(results)
        scored = (each for each in self.known.values() if each.scores)
        write_references(Folder(self.study.folder).references, scored)
        return texts


def run_references(
    search: Search,
    networks: Sequence[str] | None = None,
    seeds: int = 1,
    watch: OnStep | None = None,
) -> Study:
    """Train reference networks with the recipe, data and epochs of a search's study.

    `networks`: their names, by default the usual ones of the study's task. Each is trained from
    `seeds` seeds of its own for as long as the study's last rung, and measured on the validation
    split. Each result is written to `references.json` at once, so an interrupted run can go on,
    more seeds can be added, and failed ones are tried again. Raises `StudyError` for a study that
    trains nothing, for a network for another task, and as `follow_up` does.
    """
    _check_seeds(seeds)
    return follow_up(search, lambda study: _references_of(study, networks, seeds), watch)


def forecast_references(
    search: Search, networks: Sequence[str] | None = None, seeds: int = 1
) -> Forecast:
    """Return what `run_references` would do; raises as it does."""
    _check_seeds(seeds)
    return forecast(search, lambda study: _references_of(study, networks, seeds))


def _check_seeds(seeds: int) -> None:
    """Refuse fewer than one seed, or more than anyone waits for."""
    check_value(seeds, SeedCount, "seeds")


def _references_of(study: Study, networks: Sequence[str] | None, seeds: int) -> _References:
    """Return the reference networks to train; refuse untrainable ones before anything runs."""
    return _References(study, _networks_for(study.settings, networks), seeds)


def _networks_for(settings: Settings, names: Sequence[str] | None) -> list[ReferenceNetwork]:
    """Return the networks for a study's images; `names`: None for the usual ones of its task.

    Raises `StudyError` for a study that trains nothing or has another task, and `OptionError` for
    unknown networks.
    """
    question, facts = settings.question, settings.facts
    if not question.trains:
        raise StudyError(
            f"study '{settings.name}' has scores of {question.evaluator}, which trains nothing: "
            f"references need a study that trains."
        )
    task = task_named(question.data)
    names = PLAIN[task].usual if names is None else names
    if not names:
        usual = ",".join(PLAIN[task].usual[:2])
        raise OptionError(f"references need at least one network, such as {usual}.")
    networks = [ReferenceNetwork(n, facts.input_shape, facts.classes) for n in dict.fromkeys(names)]
    for name in names:
        if (purpose := reference_task(name)) != task:
            raise StudyError(
                f"study '{settings.name}' is for {task}, but {name} is for {purpose}: name "
                f"networks for {task}, such as {PLAIN[task].usual[0]}."
            )
    return networks


def _missing_jobs(
    networks: Sequence[ReferenceNetwork], kept: dict[str, Reference], study_seed: int, seeds: int
) -> list[_ReferenceJob]:
    """Return the jobs without a good score: the first seed of every network, then the second."""
    jobs = [
        _ReferenceJob(network, seed_for(study_seed, f"reference-{network.name}", repeat))
        for repeat in range(seeds)
        for network in networks
    ]
    good = {name: {s.seed for s in reference.scores if s.ok} for name, reference in kept.items()}
    return [job for job in jobs if job.seed not in good[job.network.name]]
