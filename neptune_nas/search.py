"""A search from end to end: what `neptune-nas search` runs, as a Python object.

>>> from neptune_nas.search import Search
>>> Search(space="tiny", trials=4).folder.path.name
'tiny-digits'
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import Any

from optuna.samplers import BaseSampler

from neptune_nas.build import build
from neptune_nas.codec import type_name
from neptune_nas.constraints import Constraint, Survey, parse_constraint, survey
from neptune_nas.data.load import load_once
from neptune_nas.data.names import short_name
from neptune_nas.engine.gpus import Need
from neptune_nas.engine.local import LocalEngine
from neptune_nas.engine.plan import Slots, own_modules, share_out
from neptune_nas.engine.process import end_if_unguarded, start_fork_server
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.evaluate.evaluator import Evaluator
from neptune_nas.evaluate.tabular import Tabular
from neptune_nas.files import folder_name
from neptune_nas.hints import check_types
from neptune_nas.latency import measure_latency
from neptune_nas.lock import check_writable
from neptune_nas.outputs import write_outputs
from neptune_nas.record import record_classes
from neptune_nas.redact import redact
from neptune_nas.samplers.factory import make_sampler
from neptune_nas.samplers.problem import Problem
from neptune_nas.sharing import Sharing, need_of, sampled, share
from neptune_nas.space import Space, find_space
from neptune_nas.space.locate import find_module
from neptune_nas.study.coordinator import Coordinator, Limits
from neptune_nas.study.database import SQLITE, require_database, sqlite_url
from neptune_nas.study.folder import Folder
from neptune_nas.study.gauge import Gauge
from neptune_nas.study.objectives import SCORED, check_objectives, directions
from neptune_nas.study.progress import Progress, Tracker
from neptune_nas.study.proposals import Proposer
from neptune_nas.study.read import snapshot
from neptune_nas.study.reference_point import reference_point
from neptune_nas.study.run import run_session
from neptune_nas.study.rungs import REDUCTION, Rungs
from neptune_nas.study.session import Asked, begin, facts_of, settle_settings
from neptune_nas.study.settings import TABLE, TRAINING, Facts, Question, Settings
from neptune_nas.study.store import Store, check_store, create_store
from neptune_nas.study.study import Study
from neptune_nas.study.table import DATA as TABLE_DATA
from neptune_nas.study.table import check_rungs, fidelities, table_task
from neptune_nas.study.task import Task, task_on, training_task
from neptune_nas.training.device import check_gpus, pick_device
from neptune_nas.training.recipe import Recipe, default_epochs, default_recipe

POSITIVE = (
    *("trials", "repeats", "jobs", "threads", "trials_per_gpu"),
    *("patience", "timeout", "trial_timeout"),
)
PROXY = "synflow"  # of rung 0, unless another is named


def ignore(_: Progress) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class Search:
    """Everything that can be asked of a search; `run` makes the study, or goes on with it.

    `space`: a name, a file, `package.module:SPACE`, or a `Space`. `data`: see `load_data` (default:
    digits). `trials`: the total of the study. `objectives`: accuracy or loss, with any of flops,
    macs, params, activations and latency. `constraints`: such as "flops<=20M" or "latency<=5ms".
    `sampler`: auto, evolution, local, nsga2, random, Optuna's own by name, or `module:Class`, with
    `sampler_kwargs` for it. `seed`: of all that is random. `rungs`: epochs at which trials are
    compared (default: what suits the data, once); the first may be 0, which is the zero-cost
    `proxy` (default: synflow). `reduction`: one trial in so many goes on from each rung.
    `recipe`: how to train (default: what suits the data). `repeats`: seeds at the last rung.
    `evaluator`: what to measure with in place of short training. `table`: the file of a table to
    look networks up in instead; `data` then says which images they saw (default: cifar10). `name`:
    of the study's folder below `out` (default: `SPACE-DATA`). `storage`: the URL of a database to
    use in place of `study.db` in that folder. `data_dir`: where data sets lie, see `load_data`.
    `device`: "auto", "cpu" or "cuda". `jobs`: evaluations at once (default: one a core, or
    `trials_per_gpu` on each of `gpus`, which are CUDA devices by number: as many as are predicted
    to fit unless it is given), each with `threads` (default: its share of the cores). `timeout`,
    `trial_timeout`: seconds. `patience`: stop after that many trials in a row that added nothing to
    the front.

    Raises `OptionError` for a field of another type, a number out of its range, or fields that
    exclude each other.
    """

    space: str | Space[Any] = "default"
    data: str | None = None
    trials: int = 200
    objectives: tuple[str, ...] = ("accuracy", "flops")
    constraints: tuple[str, ...] = ()
    rungs: tuple[int, ...] | None = None
    sampler: str = "auto"
    sampler_kwargs: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    repeats: int = 1
    seed: int = 0
    proxy: str | None = None
    reduction: int = REDUCTION
    evaluator: Evaluator | None = None
    table: str | Path | None = None
    name: str | None = None
    out: str | Path = Path("studies")
    storage: str | None = None
    data_dir: str | Path | None = None
    device: str = "auto"
    jobs: int | None = None
    threads: int | None = None
    gpus: tuple[int, ...] = ()
    trials_per_gpu: int | None = None
    timeout: float | None = None
    trial_timeout: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        check_types(self)
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise OptionError(f"`{name}` must be greater than 0, but got {value}.")
        if self.seed < 0:
            raise OptionError(f"`seed` must be at least 0, but got {self.seed}.")
        check_objectives(self.objectives)
        for one, other, clash in self._clashes:
            if clash:
                raise OptionError(
                    f"`{one}` and `{other}` exclude each other: leave one of them out."
                )

    @property
    def _clashes(self) -> tuple[tuple[str, str, bool], ...]:
        given = {name: bool(getattr(self, name)) for name in ("table", "evaluator", "proxy")}
        return (
            ("table", "evaluator", given["table"] and given["evaluator"]),
            ("proxy", "table", given["proxy"] and given["table"]),
            ("proxy", "evaluator", given["proxy"] and given["evaluator"]),
            ("jobs", "trials_per_gpu", bool(self.jobs and self.trials_per_gpu)),
            ("gpus", "device cpu", bool(self.gpus) and self.device == "cpu"),
        )

    @cached_property
    def question(self) -> Question:
        """What decides the scores, every default filled in."""
        data = self.data or (TABLE_DATA if self.table else "digits")
        rungs = Rungs(self.rungs or (self._usual_rung(data),)).levels
        return Question(
            space=self.space if isinstance(self.space, str) else self.space.name,
            data=data,
            evaluator=self._measure,
            objectives=self.objectives,
            constraints=self.constraints,
            rungs=rungs,
            sampler=self.sampler,
            sampler_kwargs=dict(self.sampler_kwargs),
            seed=self.seed,
            recipe={} if self.table else asdict(self.recipe or default_recipe(data)),
            repeats=self.repeats,
            proxy=self._proxy_below(rungs),
            reduction=self.reduction,
        )

    @property
    def _measure(self) -> str:
        """What measures, by name."""
        if self.table is not None:
            return f"{TABLE}{self.table}"
        return TRAINING if self.evaluator is None else type_name(type(self.evaluator))

    def _usual_rung(self, data: str) -> int:
        return default_epochs(data) if self.known is None else fidelities(self.known)[-1] or 1

    def _proxy_below(self, rungs: tuple[int, ...]) -> str:
        """The proxy that is rung 0 of short training; empty if it has none."""
        if self.proxy and rungs[0] > 0:
            raise OptionError(
                f"`proxy` is measured at rung 0: give `rungs` such as 0,1,3, but not "
                f"{','.join(map(str, rungs))}."
            )
        return (self.proxy or PROXY) if rungs[0] == 0 and self._measure == TRAINING else ""

    @cached_property
    def known(self) -> Tabular[Any] | None:
        """The table, read."""
        return None if self.table is None else Tabular.from_file(Path(self.table), self.target)

    @cached_property
    def folder(self) -> Folder:
        """The study's folder."""
        space = self.question.space
        stem = Path(space).stem if space.endswith(".py") else space.rpartition(":")[0] or space
        table = "-table" if self.table else ""
        name = self.name or f"{stem}-{short_name(self.question.data)}{table}"
        return Folder(Path(self.out) / folder_name(name))

    @cached_property
    def target(self) -> Space[Any]:
        """The space itself."""
        return find_space(self.space) if isinstance(self.space, str) else self.space

    @cached_property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints, read."""
        return tuple(map(parse_constraint, self.constraints))

    @cached_property
    def task(self) -> Task:
        """What architectures are measured on; reads the data."""
        if self.known is not None:
            check_rungs(self.known, self.question.rungs)
            costs = sorted(self._aims - {*SCORED})
            return table_task(self.known, self.question.data, self.data_dir, costs)
        if self.evaluator is not None:
            return task_on(load_once(self.question.data, self.data_dir, 0), self.evaluator)
        return training_task(self.question, self.data_dir, self._device)

    @property
    def _aims(self) -> set[str]:
        return {*self.objectives, *(limit.name for limit in self.limits)}

    @property
    def _device(self) -> str:
        check_gpus(self.gpus)
        return pick_device("cuda" if self.gpus else self.device)

    @property
    def slots(self) -> Slots:
        """How the machine is shared out."""
        gpus = self.sharing.gpus if self.sharing else self.gpus
        return share_out(self.jobs, self.threads, gpus)

    @cached_property
    def sharing(self) -> Sharing | None:
        """How many evaluations share each GPU, and why; None where there is none, or `jobs` says.

        Training on CUDA with no GPU named is on the first.
        """
        if self.jobs:
            return None
        trains, on_gpu = self._measure == TRAINING, self._device == "cuda"
        gpus = self.gpus or ((0,) if trains and on_gpu else ())
        if not gpus and self.trials_per_gpu:
            raise OptionError("`trials_per_gpu` needs `gpus`, such as 0,1, or CUDA to train on.")
        if not gpus:
            return None
        return share(gpus, self.trials_per_gpu, self._need if trains else None)

    def _need(self) -> Need:
        exact = [limit for limit in self.limits if limit.name != "latency"]  # slow to measure
        found = sampled(self.target, Gauge(self.task.costs, exact).feasible, self.seed)
        recipe = self.recipe or default_recipe(self.question.data)
        return need_of(found or [self.surveyed.require_example()], self.task, recipe)

    @cached_property
    def gauge(self) -> Gauge:
        """What architectures cost on the data's images."""
        clock = self._clock if "latency" in self._aims else None
        return Gauge(self.task.costs, self.limits, clock)

    @cached_property
    def surveyed(self) -> Survey[Any]:
        """How much of the space can be built for the data's images and keeps the constraints."""
        return survey(self.target, self.gauge.value, self.limits, Random(self.seed))

    def run(self, watch: Callable[[Progress], None] = ignore) -> Study:
        """Search until the study has all its trials, then write its tables, report and best.

        `watch` is called after each result with how far the search is and the trial that the
        result is of; if it raises `StopSearch`, the search ends there, and goes on when it is run
        again. Ctrl-C ends with everything that was found written, and is raised.
        Raises `OptionError` for what cannot be asked, and `StudyError` where the study began with
        another question, is being searched by another process, or cannot be written.
        """
        end_if_unguarded()
        start_fork_server(own_modules(self.task.evaluator))  # it imports while facts are found
        facts, sampler = self.find_facts(), self.make_sampler()
        with self.folder.locked():
            settings = self.settle(facts)
            store = self._open_store(settings)
            begin(self.folder, settings)
            coordinator = self._coordinator(settings, store, sampler, watch)
            try:
                coordinator.load()
                limits = Limits(self.trials, self.timeout, self.patience)
                run_session(coordinator, store, self.engine, limits)
            except BaseException:
                with suppress(NeptuneError):  # the first mistake is the one to tell
                    write_outputs(snapshot(self.folder, settings, store))
                raise
            study = snapshot(self.folder, settings, store)
            write_outputs(study)
        return study

    def make_sampler(self) -> BaseSampler:
        """The sampler; raises `OptionError` for an unknown one or an option that it refuses."""
        return make_sampler(self.sampler, self.problem, self.sampler_kwargs)

    def settle(self, facts: Facts) -> Settings:
        """The settings to search by; raises `StudyError` if the study began with others."""
        return settle_settings(self.folder, self._asked, facts)

    @property
    def _asked(self) -> Asked:
        storage = redact(self.storage) if self.storage else ""
        return Asked(self.folder.path.name, self.trials, self.question, storage)

    def find_facts(self) -> Facts:
        """Look at the space and the data as they are now.

        Raises `OptionError` where no architecture keeps the constraints.
        """
        self.surveyed.require_example()
        task, space = self.task, self.target
        seen = task.classes, task.chance
        corner = reference_point(space, self.objectives, self.limits, self.gauge.value_if_any, seen)
        return facts_of(space, task, corner, self._device)

    def check_places(self, settings: Settings) -> None:
        """Refuse a folder or a database that `run` could not use, and leave both as they are."""
        folder, url = self.folder.path, self._database(settings)
        check_writable(folder)
        check_store(url, settings.name, settings.identity, folder)

    def _database(self, settings: Settings) -> str:
        url = self.storage or settings.storage or sqlite_url(self.folder.database)
        if self.folder.exists and url.startswith(SQLITE):
            require_database(url, settings.name)
        return url

    def _open_store(self, settings: Settings) -> Store:
        return create_store(
            self._database(settings),
            settings.name,
            directions(self.objectives),
            settings.identity,
            tuple(record_classes(self.target.template)),
        )

    @cached_property
    def problem(self) -> Problem[Any]:
        """What the sampler is asked."""
        return Problem(
            self.target,
            self.objectives,
            cost=self.gauge.exact,
            feasible=self.gauge.feasible,
            seed=self.seed,
        )

    def _coordinator(
        self,
        settings: Settings,
        store: Store,
        sampler: BaseSampler,
        watch: Callable[[Progress], None],
    ) -> Coordinator:
        tracker = Tracker(settings)
        return Coordinator(
            self.question,
            store,
            Proposer(self.problem, sampler, directions(self.objectives)),
            Rungs(self.question.rungs, self.question.reduction),
            self.gauge.measure,
            lambda coordinator, trial: watch(tracker.progress(coordinator.trials.values(), trial)),
        )

    def engine(self) -> LocalEngine:
        """Workers that measure as this search does."""
        slots = self.slots
        return LocalEngine(
            self.task.evaluator,
            jobs=slots.jobs,
            threads=slots.threads,
            gpus=slots.gpus,
            trial_timeout=self.trial_timeout,
            setup=partial(find_module, self.space) if isinstance(self.space, str) else None,
        )

    def _clock(self, architecture: Any) -> float:
        network = build(architecture, self.task.input_shape, self.task.classes, seed=0)
        return measure_latency(network, self.task.input_shape).median
