"""What is asked of a search: what `neptune-nas search` runs, as a Python object.

>>> from neptune_nas.search.config import Search
>>> Search(space="tiny", trials=4).folder.path.name
'tiny-digits'
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neptune_nas.data.names import check_known, short_name
from neptune_nas.devices.device import check_device
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError
from neptune_nas.evaluators.evaluator import Evaluator, Traits, traits_of
from neptune_nas.evaluators.parameters import parameters_of
from neptune_nas.evaluators.short_training import TRAINING
from neptune_nas.evaluators.tabular import DATA as TABLE_DATA
from neptune_nas.evaluators.tabular import Tabular, table_traits
from neptune_nas.evaluators.zero_cost import check_proxy
from neptune_nas.files.atomic import folder_name
from neptune_nas.files.rules import Positive, Size
from neptune_nas.files.schema import check, check_exclusive, exclusive
from neptune_nas.metrics.registry import OBJECTIVES
from neptune_nas.samplers.factory import check_name
from neptune_nas.space import Space, find_space
from neptune_nas.space.locate import check_where
from neptune_nas.study.folder import Folder
from neptune_nas.study.progress import OnProgress
from neptune_nas.study.rungs import REDUCTION, Reduction
from neptune_nas.study.settings import Facts, Question, Settings
from neptune_nas.study.study import Study
from neptune_nas.text import redact
from neptune_nas.training.recipe import Recipe, default_epochs, default_recipe

if TYPE_CHECKING:
    from neptune_nas.search.assembly import Assembly

Say = Callable[[str], None]

EXCLUSIVE = (
    *(("table", "evaluator"), ("proxy", "table"), ("proxy", "evaluator")),
    *(("numerics", "table"), ("numerics", "evaluator")),
)
SEQUENCES = ("objectives", "constraints", "rungs", "gpus", "first")
PROXY = "synflow"  # of rung 0, unless another is named


def ignore(_: object) -> None:
    """Watch nothing."""


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
    `numerics`: the precision and memory layout to train in (default: as the study began; for a new
    one as the recipe says, or where that is "auto" as is fastest here).
    `device`: "auto", "cpu" or "cuda". `engine`: "local", worker processes of this machine, or
    "ray", a cluster (see `RayEngine`). `jobs`: evaluations at once (default: one a core, or
    `trials_per_gpu` on each of `gpus`, which are CUDA devices by number), each with `threads`
    (default: its share of the cores). `timeout`,
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
    trials: Size = 200
    objectives: Sequence[str] = OBJECTIVES
    constraints: Sequence[str] = ()
    rungs: Sequence[int] | None = None
    sampler: str = "auto"
    sampler_kwargs: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    repeats: Size = 1
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
    jobs: Size | None = None
    threads: Size | None = None
    gpus: Sequence[int] = ()
    trials_per_gpu: Size = 1
    timeout: Positive | None = None
    trial_timeout: Positive | None = None
    patience: Size | None = None
    numerics: Numerics | None = None
    first: Sequence[object] = ()

    def __post_init__(self) -> None:
        check(self)
        for name in SEQUENCES:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(value))  # a list could change later
        check_exclusive(self, EXCLUSIVE)
        if self.jobs and self.trials_per_gpu > 1:
            raise OptionError(exclusive("jobs", "trials_per_gpu"))
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
        self._check_numerics()
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
            evaluator=self.traits.name,
            objectives=tuple(self.objectives),
            constraints=tuple(self.constraints),
            rungs=tuple(rungs),
            sampler=self.sampler,
            sampler_kwargs=dict(self.sampler_kwargs),
            seed=self.seed,
            recipe={} if self.table else asdict(self.used_recipe),
            repeats=self.repeats,
            proxy=(self.proxy or PROXY) if rungs[0] == 0 and self.traits.trains else "",
            reduction=self._reduction,
            evaluator_kwargs=parameters_of(self.evaluator),
            scored=self.traits.metrics,
            unit=self.traits.unit,
            trains=self.traits.trains,
        )

    @property
    def _data(self) -> str:
        return self.data or (TABLE_DATA if self.table else "digits")

    @property
    def used_recipe(self) -> Recipe:
        """How to train: the recipe that was asked for, or what suits the data."""
        return self.recipe or default_recipe(self._data)

    @property
    def traits(self) -> Traits:
        """What a study has to know of the evaluator that is asked for."""
        if self.table is not None:
            return table_traits(self.table)
        return TRAINING if self.evaluator is None else traits_of(self.evaluator)

    @property
    def _reduction(self) -> Reduction:
        """As it is written down: one number for all, or a tuple."""
        if isinstance(self.reduction, int):
            return self.reduction
        return tuple(self.reduction) if len(self.reduction) != 1 else self.reduction[0]

    def _usual_rung(self) -> int:
        return default_epochs(self._data) if self.tabular is None else self.tabular.highest or 1

    @cached_property
    def folder(self) -> Folder:
        """The study's folder."""
        space = self.question.space
        stem = Path(space).stem if space.endswith(".py") else space.rpartition(":")[0] or space
        table = "-table" if self.table else ""
        name = self.name or folder_name(f"{stem}-{short_name(self._data)}{table}")
        return Folder(Path(self.out) / name)

    @cached_property
    def found_space(self) -> Space[Any]:
        """The space itself."""
        return find_space(self.space) if isinstance(self.space, str) else self.space

    @cached_property
    def tabular(self) -> Tabular[Any] | None:
        """The table, read; None where none is asked for."""
        return None if self.table is None else Tabular.from_file(self.table, self.found_space)

    def settings(self, facts: Facts) -> Settings:
        """Return what a new study of this search would be, begun with these facts."""
        storage = redact(self.storage) if self.storage else ""
        return Settings(self.folder.path.name, self.trials, self.question, facts, storage)

    def _check_name(self) -> None:
        """Refuse a name that its folder could not bear as it is."""
        if self.name is not None and (plain := folder_name(self.name)) != self.name:
            raise OptionError(
                f"`name` (--study-name) must be the name of a folder in `out` (--out), of letters, "
                f"digits and any of _.<>()+- but got '{self.name}': write '{plain}'."
            )

    def _check_numerics(self) -> None:
        """Refuse another precision than the recipe's."""
        precision = self.used_recipe.precision
        if self.numerics and precision not in ("auto", self.numerics.precision):
            raise OptionError(
                f"`numerics` is of precision {self.numerics.precision}, but the recipe's is "
                f"{precision}: leave one of them out."
            )

    @cached_property
    def assembly(self) -> "Assembly":
        """The parts that the search works with."""
        # Here, since the parts know what was asked, and not the other way round.
        from neptune_nas.search.assembly import Assembly

        return Assembly(self)

    def run(self, watch: OnProgress = ignore, say: Say = ignore) -> Study:
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
        from neptune_nas.search.run import run_search  # as in `assembly`

        return run_search(self.assembly, watch, say)
