"""A search from end to end: what `neptune-nas search` runs, as a Python object.

>>> from neptune_nas.search.config import Search
>>> Search(space="tiny", trials=4).folder.path.name
'tiny-digits'
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from neptune_nas.architecture.codec import type_name
from neptune_nas.architecture.fields import record_classes
from neptune_nas.data.load import load_once
from neptune_nas.data.names import check_known, short_name
from neptune_nas.devices.device import check_device, check_gpus, pick_device
from neptune_nas.devices.mode import KINDS, Modes
from neptune_nas.engine.engine import Engine
from neptune_nas.engine.local import LocalEngine
from neptune_nas.engine.on_ray import RayEngine, slots_on
from neptune_nas.engine.plan import Slots, own_modules, share_out
from neptune_nas.engine.process import end_if_unguarded, start_fork_server
from neptune_nas.errors import OptionError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.parameters import code_of, parameters_of
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.evaluators.zero_cost import check_proxy
from neptune_nas.files.atomic import folder_name
from neptune_nas.files.options import check_exclusive, check_positive, exclusive
from neptune_nas.files.type_hints import check_types
from neptune_nas.redact import redact
from neptune_nas.samplers.factory import check_name
from neptune_nas.search.coordinator import Limits
from neptune_nas.search.ground import Ground, check_ours, task_on, training_task
from neptune_nas.search.opening import Opening
from neptune_nas.search.provenance import Asked
from neptune_nas.search.run import Say, Watch, run_search
from neptune_nas.search.sharing import Sharing, need_on, share_gpus
from neptune_nas.search.subject import Subject
from neptune_nas.search.table import DATA as TABLE_DATA
from neptune_nas.search.table import (
    check_loss,
    check_repeats,
    check_rungs,
    fidelities,
    table_task,
)
from neptune_nas.search.warm_start import given_in, to_try
from neptune_nas.space import Space, find_space
from neptune_nas.space.locate import check_where, file_of, find_modules
from neptune_nas.study.folder import Folder
from neptune_nas.study.read import read_study
from neptune_nas.study.rungs import REDUCTION, Reduction
from neptune_nas.study.settings import TABLE, TRAINING, Question
from neptune_nas.study.study import Study
from neptune_nas.training.recipe import Recipe, default_epochs, default_recipe
from neptune_nas.training.remembered import modes_for
from neptune_nas.watch import ignore

POSITIVE = (
    *("trials", "repeats", "jobs", "threads", "trials_per_gpu"),
    *("patience", "timeout", "trial_timeout"),
)
EXCLUSIVE = (
    *(("table", "evaluator"), ("proxy", "table"), ("proxy", "evaluator")),
    *(("jobs", "trials_per_gpu"), ("modes", "table"), ("modes", "evaluator")),
)
SEQUENCES = ("objectives", "constraints", "rungs", "gpus", "first")
PROXY = "synflow"  # of rung 0, unless another is named


@dataclass(frozen=True)
class Search:
    """Everything that can be asked of a search; `run` makes the study, or goes on with it.

    `space`: a name, a file, `package.module:SPACE`, or a `Space`. `data`: see `load_data` (default:
    digits). `trials`: the total of the study. `objectives`: accuracy or loss, with any of flops,
    macs, params, activations and latency, which is processor time of one thread on this machine,
    or what the table says. `constraints`: such as "flops<=20M" or "latency<=5ms".
    `sampler`: auto, evolution, local, nsga2, random, Optuna's own by name, or a class of yours as
    `FILE.py:Class` or `package.module:Class`, with `sampler_kwargs` for it. `seed`: of all that is
    random. `rungs`: epochs at which trials are compared (default: what suits the data, once); the
    first may be 0, which is the zero-cost `proxy` (default: synflow). `reduction`: one trial in so
    many goes on from each rung, or from one after the other, as in (5, 2).
    `recipe`: how to train (default: what suits the data). `repeats`: seeds at the last rung.
    `evaluator`: what to measure with in place of short training. `table`: the file of a table to
    look networks up in instead; `data` then says which images they saw (default: cifar10). `name`:
    of the study's folder below `out` (default: `SPACE-DATA`). `storage`: the URL of a database to
    use in place of `study.db` in that folder. `data_dir`: where data sets lie, see `load_data`.
    `modes`: in which precision and memory layout to train each kind of network (default: as the
    study began; for a new one as the recipe says, or where that is "auto" as is fastest here).
    `device`: "auto", "cpu" or "cuda". `engine`: "local", worker processes of this machine, or
    "ray", a cluster (see `RayEngine`). `jobs`: evaluations at once (default: one a core, or
    `trials_per_gpu` on each of `gpus`, which are CUDA devices by number: as many as are predicted
    to fit unless it is given), each with `threads` (default: its share of the cores). `timeout`,
    `trial_timeout`: seconds. `patience`: stop after that many trials in a row that were scored at
    the last rung and added nothing to the front, those of `first` not counted. `first`: what to
    try before anything that the sampler proposes, counted among the `trials`: architectures,
    exported ones or their files, trials, studies or their folders, of which the front is meant.

    Where several are asked for, any sequence will do, and is kept as a tuple. What needs neither
    data nor the space's code is checked at once: raises `OptionError` for a field of another type,
    a value that is unknown or out of its range, and fields that exclude each other, and
    `SpaceError` for an unknown name of a space.
    """

    space: str | Space[Any] = "default"
    data: str | None = None
    trials: int = 200
    objectives: Sequence[str] = ("accuracy", "flops")
    constraints: Sequence[str] = ()
    rungs: Sequence[int] | None = None
    sampler: str = "auto"
    sampler_kwargs: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    repeats: int = 1
    seed: int = 0
    proxy: str | None = None
    reduction: int | Sequence[int] = REDUCTION
    evaluator: Evaluator | None = None
    table: str | Path | None = None
    name: str | None = None
    out: str | Path = Path("studies")
    storage: str | None = None
    data_dir: str | Path | None = None
    device: str = "auto"
    engine: Literal["local", "ray"] = "local"
    jobs: int | None = None
    threads: int | None = None
    gpus: Sequence[int] = ()
    trials_per_gpu: int | None = None
    timeout: float | None = None
    trial_timeout: float | None = None
    patience: int | None = None
    modes: Modes | None = None
    first: Sequence[object] = ()

    def __post_init__(self) -> None:
        check_types(self)
        for name in SEQUENCES:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(value))  # a list could change later
        check_positive(self, POSITIVE)
        check_exclusive(self, EXCLUSIVE)
        for other in ("device cpu", "engine ray"):
            name, _, value = other.partition(" ")
            if self.gpus and getattr(self, name) == value:
                raise OptionError(exclusive("gpus", other))
        if self.proxy and (not self.rungs or self.rungs[0] > 0):
            got = ",".join(map(str, self.rungs or ())) or "none"
            raise OptionError(
                f"`proxy` is measured at rung 0: give `rungs` such as 0,1,3, but not {got}."
            )
        if isinstance(self.space, str):
            check_where(self.space)
        check_name(self.sampler)
        check_device(self.device)
        check_known(self._data)
        if self.proxy:
            check_proxy(self.proxy)
        self._check_modes()
        self._check_name()
        self._question(self.rungs or (1,))  # refuses what no study can be asked

    @cached_property
    def question(self) -> Question:
        """What decides the scores, every default filled in."""
        return self._question(self.rungs or (self._usual_rung(),))

    def _question(self, rungs: Sequence[int]) -> Question:
        return Question(
            space=self.space if isinstance(self.space, str) else self.space.name,
            data=self._data,
            evaluator=self._measure,
            objectives=tuple(self.objectives),
            constraints=tuple(self.constraints),
            rungs=tuple(rungs),
            sampler=self.sampler,
            sampler_kwargs=dict(self.sampler_kwargs),
            seed=self.seed,
            recipe={} if self.table else asdict(self._recipe),
            repeats=self.repeats,
            proxy=(self.proxy or PROXY) if rungs[0] == 0 and self._measure == TRAINING else "",
            reduction=self._reduction,
            evaluator_kwargs=parameters_of(self.evaluator),
        )

    @property
    def _data(self) -> str:
        return self.data or (TABLE_DATA if self.table else "digits")

    @property
    def _recipe(self) -> Recipe:
        return self.recipe or default_recipe(self._data)

    @property
    def _measure(self) -> str:
        """What measures, by name."""
        if self.table is not None:
            return f"{TABLE}{self.table}"
        return TRAINING if self.evaluator is None else type_name(code_of(self.evaluator))

    @property
    def _reduction(self) -> Reduction:
        """As it is written down: one number for all, or a tuple."""
        if isinstance(self.reduction, int):
            return self.reduction
        return tuple(self.reduction) if len(self.reduction) != 1 else self.reduction[0]

    def _usual_rung(self) -> int:
        return default_epochs(self._data) if self.known is None else fidelities(self.known)[-1] or 1

    @cached_property
    def folder(self) -> Folder:
        """The study's folder."""
        space = self.question.space
        stem = Path(space).stem if space.endswith(".py") else space.rpartition(":")[0] or space
        table = "-table" if self.table else ""
        name = self.name or folder_name(f"{stem}-{short_name(self._data)}{table}")
        return Folder(Path(self.out) / name)

    @cached_property
    def target(self) -> Space[Any]:
        """The space itself."""
        return find_space(self.space) if isinstance(self.space, str) else self.space

    @cached_property
    def known(self) -> Tabular[Any] | None:
        """The table, read."""
        return None if self.table is None else Tabular.from_file(Path(self.table), self.target)

    @cached_property
    def ground(self) -> Ground:
        """What architectures are measured on; reads the data."""
        question = self.question
        if self.known is not None:
            check_rungs(self.known, question.rungs)
            check_repeats(self.known, question.repeats, question.rungs[-1])
            if "loss" in question.objectives:
                check_loss(self.known, question.rungs)
            return table_task(self.known, question.data, self.data_dir, sorted(question.costs))
        check_ours(self.target)
        if self.evaluator is not None:
            return task_on(load_once(question.data, self.data_dir, 0), self.evaluator)
        return training_task(question, self.data_dir, self._device, self.used_modes)

    def _check_name(self) -> None:
        """Refuse a name that its folder could not bear as it is."""
        if self.name is not None and (plain := folder_name(self.name)) != self.name:
            raise OptionError(
                f"`name` (--study-name) must be the name of a folder in `out` (--out), of letters, "
                f"digits and any of _.<>()+- but got '{self.name}': write '{plain}'."
            )

    def _check_modes(self) -> None:
        """Refuse modes of another precision than the recipe's."""
        precision = self._recipe.precision
        asked = {self.modes.of(kind).precision for kind in KINDS} if self.modes else set()
        if precision != "auto" and asked - {precision}:
            raise OptionError(
                f"`modes` are of precision {', '.join(sorted(asked))}, but the recipe's is "
                f"{precision}: leave one of them out."
            )

    @cached_property
    def used_modes(self) -> Modes:
        """The modes to train in: those that the study began with, if it has begun."""
        if self.modes is not None:
            return self.modes
        return self.opening.modes or modes_for(self._recipe.precision, self._device)

    @property
    def _device(self) -> str:
        check_gpus(self.gpus)
        return pick_device("cuda" if self.gpus else self.device)

    @cached_property
    def subject(self) -> Subject:
        """The question with the space and what it is measured on; reads the data."""
        modes = self.used_modes if self._measure == TRAINING else None
        return Subject(self.question, self.target, self.ground, self._device, modes)

    @cached_property
    def opening(self) -> Opening:
        """The study's folder with what is asked of it."""
        storage = redact(self.storage) if self.storage else ""
        asked = Asked(self.folder.path.name, self.trials, self.question, storage)
        return Opening(self.folder, asked, self.storage)

    @cached_property
    def sharing(self) -> Sharing | None:
        """How many evaluations share each GPU here, and why.

        None where there is none, where `jobs` says, and on Ray, which deals them out itself.
        Training on CUDA with no GPU named is on the first.
        """
        if self.jobs or self.engine == "ray":
            return None
        need = (lambda: need_on(self.subject)) if self._measure == TRAINING else None
        return share_gpus(tuple(self.gpus), self._device == "cuda", self.trials_per_gpu, need)

    @property
    def slots(self) -> Slots:
        """How the machine, or the cluster, is shared out."""
        if self.engine == "ray":
            return slots_on(self.jobs, self.threads, self._on_gpu, self.trials_per_gpu)
        gpus = self.sharing.gpus if self.sharing else tuple(self.gpus)
        return share_out(self.jobs, self.threads, gpus)

    @property
    def _on_gpu(self) -> bool:
        """Whether workers need a GPU, where none is named."""
        asked = self.evaluator is not None and self.device == "cuda"
        return asked or (self._measure == TRAINING and self._device == "cuda")

    def make_engine(self) -> Engine:
        """Workers that measure as this search does."""
        evaluator, slots, places = self.ground.evaluator, self.slots, self._places
        setup = partial(find_modules, places) if places else None
        if self.engine == "ray":
            return RayEngine(
                evaluator,
                slots,
                per_gpu=self.trials_per_gpu or 1,
                trial_timeout=self.trial_timeout,
                setup=setup,
            )
        return LocalEngine(
            evaluator,
            jobs=slots.jobs,
            threads=slots.threads,
            gpus=slots.gpus,
            trial_timeout=self.trial_timeout,
            setup=setup,
        )

    @property
    def _places(self) -> tuple[str, ...]:
        """Whose code a worker runs first, to know what is in it."""
        own = file_of(code_of(self.ground.evaluator))
        return tuple(each for each in (self.space, own) if isinstance(each, str))

    def to_try_first(self) -> tuple[Any, ...]:
        """The architectures of `first` that the study has not begun to try, each network once.

        Raises `OptionError` for one that is not in the space or breaks a constraint.
        """
        if not self.first:
            return ()
        tried: set[str] = set()
        if self.folder.exists:
            allow = tuple(record_classes(self.target.template))
            study = read_study(self.folder.path, self.storage, allow)
            tried = {trial.key for trial in study.trials}
        return to_try(self.subject, given_in(self.first, self.target), tried)

    def run(self, watch: Watch = ignore, say: Say = ignore) -> Study:
        """Search until the study has all its trials, then write its tables, report and best.

        `watch` is called after each result with how far the search is and the trial that the
        result is of; if it raises `StopSearch`, the search ends there, and goes on when it is run
        again. `say` is called before them, with a sentence on what takes long, on what is left
        out of `first`, and on a study that has more trials than asked for. Ctrl-C ends
        with everything that was found written, and is raised; a second one is raised at once, or
        at the end of the write that it falls into.
        Raises `OptionError` for what cannot be asked, and `StudyError` where the study began with
        another question, is being searched by another process, or cannot be written.
        """
        end_if_unguarded()
        if self.engine == "local":
            start_fork_server(
                own_modules(self.ground.evaluator)
            )  # it imports while facts are found
        limits = Limits(self.trials, self.timeout, self.patience)
        if not self.folder.exists:
            self.slots  # noqa: B018  # refuses what this machine or the cluster lacks
        if self.subject.takes_long:
            say(self.subject.takes_long)
        first = self.to_try_first()
        return run_search(
            self.opening, self.subject, self.make_engine, limits, watch, say, first=first
        )
