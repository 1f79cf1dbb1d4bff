"""Full-budget training of one network from end to end, as run by `neptune-nas train`.

>>> from neptune_nas import Training
>>> Training("resnet8", data="digits", epochs=20).folder.path.name
'resnet8-digits'
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from neptune_nas.architecture.fields import record_classes, require_classes
from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once, refuse_download
from neptune_nas.data.names import check_known, reading_note, short_name
from neptune_nas.data.notes import notes_on
from neptune_nas.deploy.int8_accuracy import CALIBRATION
from neptune_nas.devices.device import check_device, pick_device
from neptune_nas.devices.numerics import Numerics
from neptune_nas.devices.processor import torch_threads
from neptune_nas.errors import NeptuneError, OptionError, StudyError
from neptune_nas.files.atomic import folder_name, write_file
from neptune_nas.files.rules import Count, SeedCount, Size, Threads
from neptune_nas.files.schema import check, decode
from neptune_nas.interrupts import raise_held
from neptune_nas.metrics.registry import BY_NAME, INT8
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.start import Start, start_at
from neptune_nas.models.teacher_outputs import VIEWS, TeacherSource, kept_seconds
from neptune_nas.nn.model_zoo import weights_digests
from neptune_nas.nn.references import check_reference
from neptune_nas.retrain.advice import chance_warning, recipe_note, short_note, start_note
from neptune_nas.retrain.curves import shows_metrics, write_curves
from neptune_nas.retrain.folder import TrainFolder, write_terms
from neptune_nas.retrain.forecast import epoch_seconds, epochs_done
from neptune_nas.retrain.int8 import add_int8, check_int8
from neptune_nas.retrain.metrics import Metrics, dumps, load_metrics
from neptune_nas.retrain.progress import OnEpoch, TrainingPace, TrainingStep, epoch_line
from neptune_nas.retrain.seed import (
    SeedJob,
    Trainable,
    files_of_test,
    name_of,
    network_for,
    read_test,
    train_seed,
    with_seed,
)
from neptune_nas.retrain.teacher import TeacherPart
from neptune_nas.retrain.terms import Inherited, Terms, refuse_others
from neptune_nas.search.config import Say, ignore
from neptune_nas.study.folder import read_toml
from neptune_nas.study.notebook import NotebookBar, in_notebook
from neptune_nas.tasks.registry import task_of
from neptune_nas.tasks.task import Task
from neptune_nas.training.probe import numerics_for
from neptune_nas.training.recipe import Recipe, default_recipe, final_recipe, strong_recipe
from neptune_nas.training.state import Epoch, augment_for
from neptune_nas.training.threads import time_threads


@dataclass(frozen=True)
class Training:
    """The settings of a training; `run` starts or resumes it.

    `source`: an architecture, as `neptune_nas.load` reads it, or the name of a hand-designed
    network. `data`: see `load_data` (default: the data an architecture was searched on, which are
    not downloaded). `seeds`: their number, counted from 0. `recipe`: how to train (default: the
    strong recipe, or that of the architecture's scores if its values were chosen). `out`: the
    folder (default: `trained/NETWORK-DATA`). `data_dir`: the folder of data sets, see `load_data`.
    `device`: "auto", "cpu" or "cuda". `threads`: torch's threads (default: on a CPU as many as
    train fastest in a few steps). `int8`: whether each seed's model also gets its network in int8,
    fine-tuned where rounding costs more than half a point (default: if the search of the
    architecture measured int8 accuracy). `teacher`: a trained model's file, or your function
    `FILE.py:FUNCTION` that returns an `nn.Module`; the network learns from its outputs as well as
    from the labels. It sees `teacher_views` views of each image, or with 0 the images as they are
    (see `neptune_nas.models.teacher`). `allow`: your record classes that the teacher's file may
    name, in addition to those of `source`. `start`: the file of a trained model whose weights each
    seed starts from, where they fit.

    Raises `OptionError` on construction for a field of the wrong type, for a value that is unknown
    or out of its range, and for an architecture with a record of unknown class.
    """

    source: ExportedArchitecture | str
    data: str | None = None
    epochs: Size = 60
    seeds: SeedCount = 3
    recipe: Recipe | None = None
    out: str | Path | None = None
    data_dir: str | Path | None = None
    device: str = "auto"
    threads: Threads | None = None
    int8: bool | None = None
    teacher: str | Path | None = None
    teacher_views: Count = VIEWS
    allow: tuple[type, ...] = ()
    start: Start | str | Path | None = None

    def __post_init__(self) -> None:
        check(self)
        check_device(self.device)
        if self.data:
            check_known(self.data)
        if isinstance(self.source, str):
            check_reference(self.source, "For an architecture in a file, pass load(FILE).")
        if isinstance(self.source, ExportedArchitecture):
            require_classes(self.source.architecture, OptionError)

    @cached_property
    def data_name(self) -> str:
        """The name of the data set to train on."""
        known = None if isinstance(self.source, str) else self.source.provenance.get("data")
        name = self.data or known
        if not isinstance(name, str):
            raise OptionError(f"training {name_of(self.source)} needs `data`, such as cifar10.")
        return name

    @cached_property
    def folder(self) -> TrainFolder:
        """The folder of all output."""
        if self.out:
            return TrainFolder(Path(self.out))
        name = f"{name_of(self.source)}-{short_name(self.data_name)}"
        return TrainFolder(Path("trained") / folder_name(name + "-first" * bool(self.start)))

    @cached_property
    def images(self) -> ImageData:
        """The data set to train on.

        Raises `StudyError` if it is the architecture's by default and has changed since its search.
        """
        if not self.data:
            refuse_download(self.data_name, self.data_dir, name_of(self.source))
        data = load_once(self.data_name, self.data_dir, 0)
        if self.data is None and isinstance(self.source, ExportedArchitecture):
            then = self.source.provenance.get("data_fingerprint", data.fingerprint)
            if then != data.fingerprint:
                raise StudyError(
                    f"data '{self.data_name}' is not what {name_of(self.source)} was searched on "
                    f"({then}, now {data.fingerprint}), so its test split may hold images that "
                    f"chose the network: to train anyway, set `data` (--data) to "
                    f"{self.data_name}."
                )
        return data

    @cached_property
    def network(self) -> Trainable:
        """The network, built for the images and targets of the data."""
        return network_for(self.source, self.images)

    @property
    def task(self) -> Task:
        """The task of the data."""
        return task_of(self.images)

    @cached_property
    def used_recipe(self) -> Recipe:
        """The recipe in use, given or by default."""
        if self.recipe is not None:
            return self.recipe
        if isinstance(self.source, ExportedArchitecture) and self.source.recipe:
            return final_recipe(decode(Recipe, self.source.recipe, "recipe"))
        train = self.images.train
        return strong_recipe(default_recipe(len(train), is_dense=train.targets.ndim > 1))

    @cached_property
    def _start(self) -> Start | None:
        """The trained model to start from, if any, which must be of the data's task."""
        item = self.source
        own = () if isinstance(item, str) else record_classes(item.architecture)
        found = start_at(self.start, own)
        return found if found is None else found.of(self.task)

    @cached_property
    def _inherited(self) -> Inherited | None:
        """The trained model to start from, and how much of the network inherits from it."""
        if (start := self._start) is None:
            return None
        share = start.begin(self.network.build(0), self.images.classes)
        return Inherited(start.digest, str(start.file), share)

    @cached_property
    def numerics(self) -> Numerics:
        """The precision and layout to train in: those of the folder's terms, if it has any."""
        if self._begun is not None:
            return self._begun.numerics
        return numerics_for(self.used_recipe.precision, pick_device(self.device))

    @cached_property
    def _begun(self) -> Terms | None:
        """The terms that the folder was begun with, if it was."""
        file = self.folder.terms
        return read_toml(file, Terms) if file.exists() else None

    @cached_property
    def terms(self) -> Terms:
        """The terms, which decide the result."""
        augment = augment_for(self.used_recipe, self.images)
        return Terms(
            network=self.source if isinstance(self.source, str) else self.source.key,
            data=self.data_name,
            data_fingerprint=self.images.fingerprint,
            epochs=self.epochs,
            recipe=asdict(replace(self.used_recipe, crop=augment.crop, flip=augment.flip)),
            classes=self.images.classes,
            numerics=self.numerics,
            calibration=CALIBRATION if self._wants_int8 else None,
            inherited=self._inherited,
            id=uuid4().hex if self._begun is None else self._begun.id,
            **self._teacher.terms(),
            weights=weights_digests(self.source),
        )

    @cached_property
    def _teacher(self) -> TeacherPart:
        """The teacher's part in the training; it does nothing without a teacher."""
        allow = self.allow
        if isinstance(self.source, ExportedArchitecture):
            allow = (*allow, *record_classes(self.source.architecture))
        place = self.teacher
        source = None if place is None else TeacherSource(str(place), self.teacher_views, allow)
        return TeacherPart(source, self.images, self.folder.teacher, pick_device(self.device))

    @property
    def _wants_int8(self) -> bool:
        if self.int8 is not None or isinstance(self.source, str):
            return bool(self.int8)
        score = self.source.score
        return score is not None and any(BY_NAME.get(name) in INT8 for name in score.values)

    @property
    def is_done(self) -> bool:
        """True if every requested seed has been measured on the test split."""
        return not self._unmeasured(self._read_metrics())

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the data, the recipe, too few epochs, the start and the teacher."""
        inherited, classes = self.terms.inherited, self.images.classes
        own = "" if self.data else reading_note(self.data_name, name_of(self.source))
        return (
            *filter(None, (own, recipe_note(self.used_recipe))),
            *notes_on(self.images, self.data_dir),
            *short_note(self.source, self.epochs),
            *start_note(self.source, inherited, self._start, classes),
            *self._teacher.notes(self.source),
        )

    def run(self, watch: OnEpoch | None = None, say: Say | None = None) -> Metrics:
        """Train each seed, then measure each once on the test split, saving every result at once.

        `watch` is called after each epoch; without it, a notebook shows the progress. `say` is
        called with each of `notes` and a sentence on the number of threads before the training, and
        with a warning after it if the network is no better than chance. A stopped training resumes;
        a finished one is read from its `metrics.json`. Raises `StudyError` for a folder that has
        other terms, or is in use.
        """
        if watch is None and in_notebook():
            with NotebookBar(f"training in {self.folder.path}", self._read_step) as bar:
                return self.run(bar, say or bar.say)
        watch, say = watch or ignore, say or ignore
        job = self.job
        if job.terms.calibration and not self.is_done:
            check_int8(job, name_of(self.source))
        first = () if self.folder.terms.exists() else self.notes  # may refuse the teacher
        with self.folder.locked():
            write_terms(self.folder, job.terms)
            known = self._read_metrics()
            seeds = self._unmeasured(known)
            for note in (first or self.notes) if seeds else ():
                say(note)
            with torch_threads(self._threads_for(seeds, say)):
                if self._untrained(seeds):
                    job = self._teacher.join(job, say)
                metrics = self._run_seeds(job, seeds, known, watch, say)
        for warning in chance_warning(metrics, self.images) if seeds else ():
            say(warning)
        return metrics

    def _run_seeds(
        self,
        job: SeedJob,
        seeds: list[int],
        known: Metrics | None,
        watch: Callable[[TrainingStep], None],
        say: Say,
    ) -> Metrics:
        """Train and measure these seeds, and draw the curves of all."""
        try:
            self._train(job, seeds, watch, say)
            metrics = self._measure(job, seeds, known)
        except BaseException:
            with suppress(NeptuneError):  # the first error is the one to report
                self._draw(self._read_metrics())
            raise
        if seeds or not shows_metrics(self.folder.curves, metrics):
            self._draw(metrics)
        return metrics

    def _threads_for(self, seeds: list[int], say: Say) -> int | None:
        """Return the threads to train these seeds with: those given, or else the fastest.

        None leaves torch's own setting, as on a GPU, or where nothing is left to train.
        """
        is_open = self.threads is None and pick_device(self.device) == "cpu"
        if not is_open or not self._untrained(seeds):
            return self.threads
        network = self.network.build(0)
        times = time_threads(network, self.images, self.used_recipe, self.numerics)
        if times is None:
            return None
        say(str(times))
        return times.fastest

    def forecast(self, say: Say = ignore) -> float | None:
        """Return the seconds that training will take, by an epoch in a temporary folder.

        None if all seeds are trained. `say` is called with the sentences that `run` would begin
        with. Raises `StudyError` for a folder that has other terms.
        """
        if self.folder.terms.exists():
            write_terms(self.folder, self.terms)  # only compares them
        seeds = self._untrained(self._unmeasured(self._read_metrics()))
        if not seeds:
            return None
        for note in self.notes:
            say(note)
        done = (epochs_done(self.folder.seed(seed), self.task) for seed in seeds)
        left = sum(self.epochs - min(self.epochs, epochs) for epochs in done)
        with torch_threads(self._threads_for(seeds, say)):
            return epoch_seconds(self.job, seeds[0], left) + self._teacher.seconds_left()

    def _read_step(self, step: TrainingStep) -> tuple[int, int, str]:
        """Return how many epochs of all seeds are done, of how many, and a line on the last."""
        done = step.seed * step.epochs + step.epoch.number
        return done, step.seeds * step.epochs, epoch_line(step, self.task)

    @property
    def job(self) -> SeedJob:
        """The inputs that all seeds share."""
        return SeedJob(
            self.network,
            self.images,
            self.used_recipe,
            self.terms,
            pick_device(self.device),
            start=self._start,
            teacher_seconds=kept_seconds(self.folder.teacher),
        )

    def _read_metrics(self) -> Metrics | None:
        """Return the results measured so far, under these terms."""
        file = self.folder.metrics
        if not file.exists():
            return None
        metrics = load_metrics(file)
        refuse_others(f"{file} was measured", metrics.terms, self.terms)
        return metrics

    def _unmeasured(self, known: Metrics | None) -> list[int]:
        measured = {each.seed for each in known.seeds} if known else set()
        return [seed for seed in range(self.seeds) if seed not in measured]

    def _untrained(self, seeds: list[int]) -> list[int]:
        return [seed for seed in seeds if not self.folder.seed(seed).is_trained]

    def _train(self, job: SeedJob, seeds: list[int], watch: OnEpoch, say: Say) -> None:
        untrained, pace = self._untrained(seeds), TrainingPace()
        for seed in seeds:
            later = len([other for other in untrained if other > seed]) * self.epochs

            def note(epoch: Epoch, seed: int = seed, later: int = later) -> None:
                left = pace.seconds_for(self.epochs - epoch.number + later)
                watch(TrainingStep(seed, self.seeds, epoch, self.epochs, left))
                raise_held()

            if seed in untrained:
                train_seed(job, seed, self.folder.seed(seed), note)
            if job.terms.calibration and (text := add_int8(job, seed, self.folder.seed(seed))):
                say(text)

    def _measure(self, job: SeedJob, seeds: list[int], known: Metrics | None) -> Metrics:
        """Return the results with these seeds added, each on disk before the next is measured."""
        files = files_of_test(self.data_name, self.data_dir, self.images) if seeds else ()
        for seed in seeds:
            known = with_seed(job, known, read_test(job, seed, self.folder.seed(seed), files))
            write_file(self.folder.metrics, dumps(known))
        assert known is not None  # at least one seed is requested, so one has been measured
        return known

    def _draw(self, metrics: Metrics | None) -> None:
        """Write the page with the curves of every seed that has a history."""
        measured = [each.seed for each in metrics.seeds] if metrics else []
        terms, seeds = metrics.terms if metrics else self.terms, {*range(self.seeds), *measured}
        write_curves(self.folder, seeds, name_of(self.source), terms, metrics, task=self.task)
