"""The settings of a search: what `neptune-nas search` runs, as a Python object.

>>> from neptune_nas.search.config import Search
>>> Search(space="tiny", trials=4).folder.path.name
'tiny-digits'
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from neptune_nas.architecture.fields import record_classes
from neptune_nas.data.names import check_known, parse_count
from neptune_nas.data.names import place_of as place_of_data
from neptune_nas.deploy.int8_accuracy import CALIBRATION
from neptune_nas.deploy.latency_place import ELSEWHERE, TORCH
from neptune_nas.deploy.restriction import restrict_for
from neptune_nas.deploy.targets import Target, find_target
from neptune_nas.devices.device import check_device
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError
from neptune_nas.evaluators.evaluator import Evaluator, Traits, traits_of
from neptune_nas.evaluators.parameters import parameters_of
from neptune_nas.evaluators.short_training import TRAINING, training_traits
from neptune_nas.evaluators.tabular import DATA as TABLE_DATA
from neptune_nas.evaluators.tabular import Tabular, table_traits
from neptune_nas.files.rules import Count, Positive, SeedCount, Size, Threads
from neptune_nas.files.schema import check, check_exclusive, exclusive
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.metrics.registry import INT8, metric
from neptune_nas.models.start import Start, start_at
from neptune_nas.models.teacher_outputs import VIEWS, TeacherSource
from neptune_nas.samplers.factory import check_name
from neptune_nas.search.aims import Aims, aims_of, target_reason
from neptune_nas.search.defaults import (
    Defaults,
    check_numerics,
    check_proxy_rung,
    defaults_for,
    micro_space,
    scaled_space,
    usual_name,
)
from neptune_nas.search.task import task_for, usual_data, usual_space
from neptune_nas.space import Space, find_space
from neptune_nas.space.locate import AUTO, check_where, place_of
from neptune_nas.study.folder import Folder, check_name_of_folder
from neptune_nas.study.notebook import NotebookBar, in_notebook
from neptune_nas.study.progress import OnProgress, progress_line
from neptune_nas.study.rungs import REDUCTION, Reduction
from neptune_nas.study.settings import Facts, Question, Settings
from neptune_nas.study.study import Study
from neptune_nas.tasks.task import Task
from neptune_nas.text import redact_url
from neptune_nas.training.recipe import Recipe

if TYPE_CHECKING:
    from neptune_nas.search.assembly import Assembly

Say = Callable[[str], None]

_EXCLUSIVE = (
    *(("table", "evaluator"), ("target", "table")),
    *product(("proxy", "numerics", "teacher", "start"), ("table", "evaluator")),
)
_SEQUENCES = ("objectives", "constraints", "rungs", "gpus", "first")
_PROXY = "synflow"  # default proxy of rung 0


def ignore(_: object) -> None:
    """Ignore the argument, as `watch` and `say` do where nothing is shown."""


@dataclass(frozen=True)
class Search:
    """All settings of a search; `run` makes the study, or resumes it.

    `add_evidence(search, search.run())` does all that `neptune-nas search` does: after the trials,
    it trains plain networks for comparison, and confirms the picks with more seeds.

    `space`: a name, a file, `package.module:SPACE`, or a `Space` (default: "auto", which is scaled
    to the images and the limits, for data of your own or a microcontroller as `target`; else
    "default"). `data`: see `load_data` (default: by `task`); a folder of large pictures gets an
    `@SIZE` that suits the limits. `task`: "classification", "segmentation" or "detection" (default:
    that of the data). `trials`: the total of the study. `objectives`: accuracy, miou or map50, as
    the task has it, int8_accuracy, int8_miou or loss, with any of flops, macs, params, activations,
    peak_memory, ram, flash and latency, which is processor time of one thread here, or the table's
    value, or as `latency_on` says (default: the first and flops). `constraints`: such as
    "flops<=20M", "ram<=64KiB" or "latency<=5ms". `sampler`: auto, evolution, local, nsga2, random,
    one of Optuna's by name, or your own class as `FILE.py:Class` or `package.module:Class`, with
    its arguments in `sampler_kwargs`. `seed`: of all random numbers. `rungs`: epochs at which
    trials are compared (default: those that suit the data); the first may be 0, which is the zero-
    cost `proxy` (default: synflow). `reduction`: one trial in that many is promoted from each rung;
    a sequence has one for each, as in (5, 2). `recipe`: how to train (default: one that suits the
    data). `repeats`: seeds at the last rung. `evaluator`: what measures, in place of short
    training. `table`: the file of a table to look networks up in instead; `data` then names the
    images they were trained on (default: cifar10). `name`: of the study's folder in `out` (default:
    `SPACE-DATA`). `storage`: the URL of a database to use in place of `study.db` in that folder.
    `data_dir`: the folder of data sets, see `load_data`. `numerics`: the precision and memory
    layout to train in (default: those the study began with; for a new study those of the recipe or,
    where that is "auto", the fastest here). `device`: "auto", "cpu" or "cuda". `engine`: "local"
    for worker processes on this machine, or "ray" for a cluster (see `RayEngine`). `jobs`:
    evaluations at once (default: one per core, or `trials_per_gpu` on each of `gpus`, which are
    CUDA device numbers), each with `threads` (default: its share of the cores). `timeout`,
    `trial_timeout`: seconds. `patience`: stop after that many trials in a row that were scored at
    the last rung and added nothing to the front, not counting those of `first`. `first`: what to
    try before the sampler's own proposals, counted among the `trials`: architectures, exported ones
    or their files, trials, studies or their folders, of which the front is tried. `target`: the
    device to search for, a name in `TARGETS`, the TOML file of your own board, or a `Target`: its
    memory, without what the firmware needs, becomes constraints, what its runtime has no int8
    kernel for is left out of the space, and the default objectives are the main metric in int8 and
    macs on a microcontroller, else accuracy and latency. `latency_on`: where latency is measured:
    "torch", which is eager, or the file of a network in "onnxruntime", "litert" or "litert-int8",
    here or on another machine, as in "litert+ssh://pi@raspberrypi.local" (default: "torch", or the
    runtime of the target, here); at most 50 networks are measured before the search, the rest are
    predicted, and `add_evidence` measures the picks. `latency_csv`: a file of measurements to
    predict from instead. `start`: the file of a trained model whose weights every network starts
    from, where they fit. `teacher`: a trained model's file, or your function `FILE.py:FUNCTION`
    that returns an `nn.Module`; networks learn from its outputs as well as from the labels. It sees
    `teacher_views` views of each image, or with 0 the images as they are.

    Fields with several values accept any sequence and store a tuple. What needs neither data nor
    the space's code is checked at once: raises `OptionError` for a field of another type, an
    unknown value or one out of range, and fields that exclude each other, and `SpaceError` for an
    unknown name of a space.
    """

    space: str | Space[Any] | None = None
    data: str | None = None
    trials: Size = 200
    objectives: Sequence[str] | None = None
    constraints: Sequence[str] = ()
    rungs: Sequence[int] | None = None
    sampler: str = "auto"
    sampler_kwargs: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    repeats: SeedCount = 1
    seed: int = 0
    proxy: str | None = None
    reduction: int | Sequence[int] = REDUCTION
    evaluator: Evaluator | None = None
    table: str | Path | None = None
    name: str | None = None
    out: str | Path = Path("studies")
    storage: str | None = field(default=None, repr=False)  # it may hold a password
    data_dir: str | Path | None = None
    device: str = "auto"
    engine: Literal["local", "ray"] = "local"
    jobs: Size | None = None
    threads: Threads | None = None
    gpus: Sequence[int] = ()
    trials_per_gpu: Size = 1
    timeout: Positive | None = None
    trial_timeout: Positive | None = None
    patience: Size | None = None
    numerics: Numerics | None = None
    first: Sequence[object] = ()
    target: str | Path | Target | None = None
    latency_on: str | None = None
    latency_csv: str | Path | None = None
    start: Start | str | Path | None = None
    teacher: str | Path | None = None
    teacher_views: Count = VIEWS
    task: str | None = None

    def __post_init__(self) -> None:
        check(self)
        for name in _SEQUENCES:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(value))  # a list could be changed later
        check_exclusive(self, _EXCLUSIVE)
        if self.jobs and self.trials_per_gpu > 1:
            raise OptionError(exclusive("jobs", "trials_per_gpu"))
        for other in ("device cpu", "engine ray"):
            name, _, value = other.partition(" ")
            if self.gpus and getattr(self, name) == value:
                raise OptionError(exclusive("gpus", other))
        check_proxy_rung(self.proxy, self.rungs)
        check_known(self._data)
        if not isinstance(self.space, Space):
            check_where(self.space_name)
        check_name(self.sampler)
        check_device(self.device)
        check_numerics(self.numerics, self.recipe)
        if self.name is not None:
            check_name_of_folder(self.name)
        # Refuse settings that no study can have, before any data is read.
        self._question(self._data, self.rungs or (1,), self.recipe or Recipe())

    @cached_property
    def question(self) -> Question:
        """The settings that decide the scores, with every default filled in; may read the data."""
        found = self.defaults
        asked = self._question(found.data, found.rungs, found.recipe)
        if self.teacher_source is None:
            return asked
        digest = self.teacher_source.digest(self.folder.shared)
        return replace(asked, teacher_digest=digest, teacher_views=self.teacher_views)

    @cached_property
    def teacher_source(self) -> TeacherSource | None:
        """The teacher, whose file may name the records of the space; None without one."""
        if self.teacher is None:
            return None
        allow = tuple(record_classes(self.found_space.template))
        return TeacherSource(str(self.teacher), self.teacher_views, allow)

    @cached_property
    def defaults(self) -> Defaults:
        """The data, recipe and rungs to use, with reasons for those that were left open."""
        if self.trains_networks:
            limits = tuple(map(parse_constraint, self.aims.constraints))
            rungs = None if self.rungs is None else tuple(self.rungs)
            return defaults_for(self._data, self.data_dir, limits, self.recipe, rungs)
        usual = self._usual_rung() if self.rungs is None else 1
        return Defaults(self._data, self.recipe or Recipe(), tuple(self.rungs or (usual,)), ())

    @property
    def trains_networks(self) -> bool:
        """True if the toolkit trains the networks, without a user's own evaluator or a table."""
        return replace(self.traits, metrics=TRAINING.metrics) == TRAINING

    @property
    def space_name(self) -> str:
        """The name of the space, or the place of its code."""
        if self.space is None:
            if usual := usual_space(self.found_task):
                return usual
            is_own = place_of_data(parse_count(self._data)[0]) != ""
            return AUTO if (is_own or self.aims.is_micro) and self.trains_networks else "default"
        return self.space if isinstance(self.space, str) else self.space.name

    @property
    def space_place(self) -> str | None:
        """The place of the space's code, as `find_space` takes it; None for a `Space`."""
        return None if isinstance(self.space, Space) else self.space_name

    def _question(self, data: str, rungs: Sequence[int], recipe: Recipe) -> Question:
        return Question(
            space=self.space_name,
            data=data,
            evaluator=self.traits.name,
            objectives=self.aims.objectives,
            constraints=self.aims.constraints,
            rungs=tuple(rungs),
            sampler=self.sampler,
            sampler_kwargs=dict(self.sampler_kwargs),
            seed=self.seed,
            recipe={} if self.table else asdict(recipe),
            repeats=self.repeats,
            proxy=(self.proxy or _PROXY) if rungs[0] == 0 and self.traits.trains else "",
            reduction=self._reduction,
            evaluator_kwargs=parameters_of(self.evaluator),
            scored=self.traits.metrics,
            unit=self.traits.unit,
            trains=self.traits.trains,
            calibration=CALIBRATION if self._measures_int8 else None,
            target=self.aims.target,
            latency_on=self.aims.latency_on,
            start=self.model.digest if self.model else "",
        )

    @cached_property
    def model(self) -> Start | None:
        """The trained model that networks start from, if any; it is not read here."""
        return start_at(self.start)

    @cached_property
    def aims(self) -> Aims:
        """The objectives and constraints, those of the target included."""
        place = self.latency_on
        if self.latency_csv is not None and place in (None, TORCH):
            place = ELSEWHERE
        main = None if self.evaluator is None else traits_of(self.evaluator).metrics[0]
        target = None if self.target is None else find_target(self.target)
        usual = metric(self.found_task.metrics[0])
        return aims_of(target, self.objectives, self.constraints, place, usual, main)

    @property
    def _measures_int8(self) -> bool:
        is_ours = self.evaluator is None and self.table is None
        return is_ours and any(each in INT8 for each in self.traits.metrics)

    @property
    def _data(self) -> str:
        return self.data or (TABLE_DATA if self.table else usual_data(self.task))

    @cached_property
    def found_task(self) -> Task:
        """The task of the data, which is the one asked for."""
        return task_for(self.task, self._data)

    @property
    def used_recipe(self) -> Recipe:
        """The recipe to train with: the given one, or one that suits the data, which is read."""
        return self.recipe or self.defaults.recipe

    @property
    def traits(self) -> Traits:
        """The traits of the evaluator that the search uses."""
        if self.table is not None:
            return table_traits(self.table)
        if self.evaluator is not None:
            return traits_of(self.evaluator)
        return training_traits(self.aims.objectives, self.found_task)

    @property
    def _reduction(self) -> Reduction:
        """The reduction in its canonical form: one number for all rungs, or a tuple."""
        if isinstance(self.reduction, int):
            return self.reduction
        return tuple(self.reduction) if len(self.reduction) != 1 else self.reduction[0]

    def _usual_rung(self) -> int:
        if self.tabular is not None:
            return self.tabular.highest or 1
        return 10 if parse_count(self._data)[0] == "digits" else 1

    @cached_property
    def folder(self) -> Folder:
        """The study's folder."""
        place, named = place_of(self.space_name)
        more = "-table" * bool(self.table) + "-first" * bool(self.start)
        name = self.name or usual_name(place or self.space_name, named, self._data, more)
        return Folder(Path(self.out) / name)

    @cached_property
    def found_space(self) -> Space[Any]:
        """The space to search, loaded from its name if need be."""
        return self._chosen_space[0]

    @cached_property
    def _chosen_space(self) -> tuple[Space[Any], tuple[str, ...]]:
        """The space, and sentences on how it was chosen and what was left out of it."""
        space, why = self._whole_space()
        space, left_out = restrict_for(space, self.aims.target, in_int8=self._measures_int8)
        return space, tuple(filter(None, (why, left_out)))

    def _whole_space(self) -> tuple[Space[Any], str]:
        """Return the space without regard to kernels, and why it was chosen."""
        if isinstance(self.space, Space):
            return self.space, ""
        if self.space_name != AUTO:
            return find_space(self.space_name), ""
        asked = (self.question.data, self.data_dir, self.question.limits)
        chosen = micro_space if self.aims.is_micro else scaled_space
        return chosen(*asked, self.aims.target)

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Sentences on what was chosen where the user left it open, and why."""
        target, chosen = self.aims.target, self.objectives is None
        why = () if target is None else (target_reason(target, self.aims, chosen=chosen),)
        return (*why, *self.defaults.reasons, *self._chosen_space[1])

    @cached_property
    def tabular(self) -> Tabular[Any] | None:
        """The table, loaded from its file; None where the search uses none."""
        return None if self.table is None else Tabular.from_file(self.table, self.found_space)

    def settings(self, facts: Facts) -> Settings:
        """Return the settings of a new study of this search, with these facts."""
        storage = redact_url(self.storage) if self.storage else ""
        name, random = self.folder.path.name, uuid4().hex
        return Settings(name, self.trials, self.question, facts, storage, random)

    @cached_property
    def assembly(self) -> "Assembly":
        """The parts that the search works with."""
        # Imported here, since `assembly` imports this module.
        from neptune_nas.search.assembly import Assembly

        return Assembly(self)

    def run(self, watch: OnProgress | None = None, say: Say | None = None) -> Study:
        """Search until the study has all its trials, then write its tables, report and best.

        `add_evidence` adds what the command measures after the trials.

        `watch` is called after each result with the progress of the search, which includes the
        trial of that result; if it raises `StopSearch`, the search ends there, and resumes when it
        is run again. Without `watch`, a notebook shows the progress, and a script shows nothing.
        `say` is called before that, with sentences on anything slow, on what the data lacks, on
        what is left out of `first`, and on a study that has more trials than asked for. Ctrl-C, or
        the interrupt of a notebook, writes everything that was found, and is then raised; a second
        one is raised at once, or at the end of the current write. Raises `OptionError` for
        unsuitable settings, and `StudyError` where the study began with another question or another
        definition of its code, is being searched by another process, or cannot be written.
        """
        from neptune_nas.search.run import run_search  # for the same reason as in `assembly`

        if watch is None and in_notebook():
            start = f"starting in {self.folder.path}"
            with NotebookBar(start, lambda p: (p.done, p.total, progress_line(p))) as bar:
                return run_search(self.assembly, bar, say or bar.say)
        return run_search(self.assembly, watch or ignore, say or ignore)
