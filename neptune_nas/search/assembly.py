"""The parts of a search, made from its settings."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from random import Random
from typing import Any

from optuna.samplers import BaseSampler

from neptune_nas.architecture.fields import record_classes
from neptune_nas.deploy.latency_place import TORCH
from neptune_nas.devices.device import check_gpus, pick_device
from neptune_nas.devices.numerics import Numerics
from neptune_nas.engine.engine import Engine
from neptune_nas.engine.local import LocalEngine
from neptune_nas.engine.on_ray import RayEngine, slots_on
from neptune_nas.engine.plan import Slots, share_out
from neptune_nas.errors import OptionError
from neptune_nas.evaluators.bench import Bench, bench_of, data_notes
from neptune_nas.evaluators.evaluator import Evaluator, code_of, prepare_evaluator, traits_of
from neptune_nas.files.atomic import check_inside
from neptune_nas.files.locks import check_writable
from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.counted import WHOLE
from neptune_nas.metrics.registry import COST, TIMED
from neptune_nas.metrics.survey import Survey, survey
from neptune_nas.metrics.timed import TIMERS
from neptune_nas.models.start import Start
from neptune_nas.models.teacher import is_code
from neptune_nas.nn.builder import build
from neptune_nas.samplers.factory import OWN_SAMPLERS, make_sampler
from neptune_nas.samplers.problem import Problem, SpaceExhaustedError
from neptune_nas.search.aims import remedies
from neptune_nas.search.announcer import Announcer, slow_steps
from neptune_nas.search.config import Say, Search
from neptune_nas.search.latency import SearchLatencies
from neptune_nas.search.proposals import Proposer
from neptune_nas.search.provenance import provenance, settings_for
from neptune_nas.search.reference_point import reference_point
from neptune_nas.search.short_training import (
    compute_outputs,
    notes_on_teacher,
    training_evaluator,
)
from neptune_nas.search.validation import check_networks, fitting
from neptune_nas.space import Space
from neptune_nas.space.locate import file_of, find_modules
from neptune_nas.study.database_url import sqlite_url, trials_url
from neptune_nas.study.folder import read_settings
from neptune_nas.study.lease import Terms
from neptune_nas.study.main_code import main_digests
from neptune_nas.study.objectives import directions
from neptune_nas.study.settings import BY_TABLE, PROCESSOR_TIME, Facts, Settings, timed_in
from neptune_nas.study.store import (
    Store,
    check_not_renamed,
    check_store,
    create_store,
    numerics_at,
    open_store,
)
from neptune_nas.training.probe import numerics_for


@dataclass(frozen=True)
class Assembly:
    """The parts of a search; each is made once, when it is first used."""

    search: Search
    announcer: Announcer = field(default_factory=Announcer, kw_only=True, compare=False)

    @cached_property
    def space(self) -> Space[Any]:
        """The space to search."""
        return self.search.found_space

    @cached_property
    def records(self) -> tuple[type, ...]:
        """The record classes that architectures of the space contain."""
        return tuple(record_classes(self.space.template))

    @cached_property
    def code(self) -> dict[str, str]:
        """Digests of the records and the evaluator that a notebook or the main script defines."""
        return main_digests((*self.records, code_of(self.search.evaluator)))

    @property
    def places(self) -> tuple[str, ...]:
        """The names of all code that the search runs, as the study knows it."""
        space, teacher = self.search.space_place, str(self.search.teacher or "")
        asked = (*([space] if space else []), *([teacher] if is_code(teacher) else []))
        return (*asked, self.search.sampler, *self.code)

    @cached_property
    def device(self) -> str:
        """The device to compute on: "cpu" or "cuda"."""
        check_gpus(self.search.gpus)
        return pick_device("cuda" if self.search.gpus else self.search.device)

    @cached_property
    def numerics(self) -> Numerics | None:
        """The numerics of training, as the study began with them; None where nothing is trained."""
        if not self.search.traits.trains:
            return None
        precision = self.search.used_recipe.precision
        return self.search.numerics or self._known_numerics or numerics_for(precision, self.device)

    @property
    def _known_numerics(self) -> Numerics | None:
        folder, url = self.search.folder, self.search.storage
        if folder.exists:
            return read_settings(folder.settings).facts.numerics
        if url is None and folder.database.is_file():  # its settings were lost
            url = sqlite_url(folder.database)
        return None if url is None else numerics_at(url, folder.path.name, folder.path)

    @cached_property
    def evaluator(self) -> Evaluator:
        """A table, the user's evaluator, or short training with an optional proxy below it."""
        search = self.search
        if search.tabular is not None:
            return search.tabular
        if search.evaluator is not None:
            return search.evaluator
        return training_evaluator(search, self.device, self.numerics, start=self.start)

    @property
    def start(self) -> Start | None:
        """The trained model that networks start from; its file may name the space's records."""
        found = self.search.model
        return None if found is None or found.allow else replace(found, allow=self.records)

    @cached_property
    def bench(self) -> Bench:
        """The evaluator with its data, which is read here."""
        if self.search.tabular is None:
            check_networks(self.search)
        return bench_of(self.evaluator, self.search.question, self.search.data_dir)

    @property
    def timed(self) -> dict[str, str]:
        """A description of how each timed metric of the question is timed, by its name."""
        question = self.search.question
        asked = [each.name for each in TIMED if each.name in question.costs]
        by_table = self.bench.clocks if question.latency_on == TORCH else ()
        how = timed_in(question.latency_on)
        return {n: BY_TABLE if n in by_table else how for n in asked}

    @cached_property
    def latencies(self) -> SearchLatencies | None:
        """The predicted latencies; None where none are asked for, or torch is timed."""
        if self.search.question.latency_on == TORCH or not self.timed:
            return None
        return SearchLatencies(self.search, self.bench, self.space, self.records, self.announcer)

    @property
    def slow(self) -> frozenset[str]:
        """The costs that are timed on this machine, or counted on networks that are built whole."""
        return frozenset((*WHOLE, *(n for n, how in self.timed.items() if how == PROCESSOR_TIME)))

    @cached_property
    def costs(self) -> Costs:
        """The costs of architectures on the bench's images."""
        question, found = self.search.question, self.latencies
        if found is not None:
            model: Callable[[Any], float] = found.model
            known = dict.fromkeys(self.timed, model)
            return Costs(found.source, question.costs, found.limits, known, self.slow)
        clocks = {name: self._clock(name) for name in self.timed}
        return Costs(self.bench.costs, question.costs, question.limits, clocks, self.slow)

    def _clock(self, name: str) -> Callable[[Any], float]:
        return self.bench.clocks.get(name) or partial(self._time, name)

    def _time(self, name: str, architecture: Any) -> float:
        network = build(architecture, self.bench.input_shape, self.bench.classes, seed=0)
        return TIMERS[name](network, self.bench.input_shape)

    @property
    def slow_start(self) -> str:
        """Sentences on what takes long before the search begins; empty where nothing does."""
        return " ".join(slow_steps(self.costs))

    def announce(self, say: Say) -> None:
        """Say what was chosen, what is slow, and what the data lacks, as soon as each is known.

        An error that refuses the search comes after that. Later sentences go to `say` too.
        """
        self.announcer.say = say
        for sentence in self.search.reasons:
            say(sentence)
        if self.latencies is not None and self.latencies.announcement:
            say(self.latencies.announcement)
        for sentence in self._expectations:
            say(sentence)
        if self.slow_start:
            say(self.slow_start)
        for sentence in self.notes:
            say(sentence)

    @property
    def _expectations(self) -> tuple[str, ...]:
        """Sentences on how well latency is predicted, and on what networks inherit, if they do."""
        predictions = () if self.latencies is None else (str(self.latencies),)
        return (*predictions, *self._fitting)

    @cached_property
    def survey(self) -> Survey[Any]:
        """The share of the space that can be built for the images and satisfies the constraints."""
        question = self.search.question
        return survey(
            self.space,
            self.costs.value,
            tuple(self.costs.constraints),
            Random(question.seed),
            slow=self.slow,
            needed=(COST.name, *(name for name in question.costs if name not in self.slow)),
            note=self.announcer.progress("Looking for networks that can be searched"),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the data, and on why networks without a cost are left out."""
        why = self.survey.unbuildable
        notes = data_notes(self.evaluator, self.search.question, self.search.data_dir)
        notes = (*notes, *self._teacher_notes)
        if not why:
            return notes
        left_out = "Networks that cannot be built or have no cost are left out; for example"
        return (*notes, f"{left_out}: {why}.")

    @cached_property
    def _teacher_notes(self) -> tuple[str, ...]:
        return notes_on_teacher(self.search, self.device)

    @cached_property
    def problem(self) -> Problem[Any]:
        """The problem that a sampler solves."""
        question = self.search.question
        aims = {aim.name for aim in question.aims}
        names = [name for name in question.costs if name in aims or name not in self.slow]
        return Problem(
            self.space,
            question.objectives,
            cost=lambda architecture: self._known_costs(architecture, names),
            feasible=self.costs.fits,
            seed=question.seed,
            keeps=self.costs.keeps_late if self.costs.late else None,
            limited=question.limited_aims,
            find_rare=lambda: self.survey.example if self.survey.is_rare else None,
        )

    def _known_costs(self, architecture: Any, names: list[str]) -> Mapping[str, float]:
        """Return the costs that are known before an architecture is tried."""
        known = self.bench.costs.values(architecture, names)
        if self.latencies is None:
            return known
        return {**known, **dict.fromkeys(self.timed, self.latencies.model(architecture))}

    def sampler(self) -> BaseSampler:
        """Return a new sampler; raises `OptionError` for an unknown name or unsuitable options."""
        question = self.search.question
        return make_sampler(question.sampler, self.problem, question.sampler_kwargs)

    def try_sampler(self) -> None:
        """Make a sampler and ask it once, so that its errors appear before a study is begun.

        Our samplers with default options are not asked: they do not fail, and `auto` takes seconds.
        """
        sampler, question = self.sampler(), self.search.question
        if question.sampler in OWN_SAMPLERS and not question.sampler_kwargs:
            return
        with suppress(SpaceExhaustedError):  # exhaustion only ends a search
            Proposer(self.problem, sampler, directions(question.aims)).propose()

    def facts(self) -> Facts:
        """Return the facts to record in a study about the space, the data and this machine.

        Raises `OptionError` where no architecture satisfies the constraints.
        """
        sides, needed = self.bench.input_shape[1:], self.survey.needed
        found = remedies(self.search.question.data, sides, self.search.aims.target, needed)
        self.survey.require_example(
            f"images of {'x'.join(map(str, sides))} pixels", " or ".join(found)
        )
        corner = reference_point(
            self.space,
            self.search.question,
            self.costs.value_if_any,
            self.bench.guess,
            self.slow,
        )
        facts = provenance(self.space, self.bench, corner)
        return replace(
            facts,
            device=self.device,
            numerics=self.numerics,
            timed=self.timed,
            choices=(*self.search.reasons, *self._expectations, *self._teacher_notes),
            code=self.code,
            start=str(self.start or ""),
            teacher=str(self.search.teacher or ""),
        )

    @cached_property
    def _fitting(self) -> tuple[str, ...]:
        """A sentence on the trained model that networks start from, if any; checks that model."""
        name, folder = self.search.question.data, self.search.data_dir
        return (fitting(self.start, self.space, name, folder),) if self.start else ()

    def settings(self, facts: Facts) -> Settings:
        """Return the settings to search by; raises `StudyError` if the study began with others."""
        return settings_for(self.search.folder, self.search.settings(facts))

    def check_places(self, settings: Settings) -> None:
        """Refuse a folder or a database that a search could not use; both are left unchanged."""
        folder = self.search.folder.path
        check_writable(folder)
        check_store(self._url(settings), settings.name, settings.identity, folder)

    def open_store(self, settings: Settings) -> Store:
        """Return the store of the study in its database, created if it is new."""
        url, aims = self._url(settings), settings.question.aims
        return create_store(url, settings.name, aims, settings.identity, self.records)

    @property
    def lease_terms(self) -> Terms:
        """The times of the lease on the study."""
        return Terms()

    def _url(self, settings: Settings) -> str:
        """Return the URL to write to; once the study has begun, its database must hold it."""
        folder = self.search.folder
        url = trials_url(folder, settings.storage, self.search.storage)
        if not (self.search.storage or settings.storage):
            check_inside(folder.path, [folder.database])
        if folder.exists:
            open_store(url, settings.name, question=settings.identity)
        elif self.search.storage is None:
            check_not_renamed(url, settings.name, folder.path)
        return url

    @property
    def slots(self) -> Slots:
        """The shares of the machine, or of the cluster, that workers get.

        Raises `OptionError` for several trials per GPU where no GPU is used.
        """
        search = self.search
        if search.engine == "ray":
            # A user's evaluator takes GPUs only if it declares so, since it may not need them.
            named = traits_of(self.evaluator).uses_device and search.device == "cuda"
            on_gpu = self.device == "cuda" and (search.traits.trains or named)
            return slots_on(search.jobs, search.threads, on_gpu, search.trials_per_gpu)
        trains_on_gpu = search.traits.trains and self.device == "cuda"
        gpus = tuple(search.gpus) or ((0,) if trains_on_gpu else ())
        if search.trials_per_gpu > 1 and not gpus:
            raise OptionError("`trials_per_gpu` needs `gpus`, such as 0,1, or CUDA to train on.")
        return share_out(search.jobs, search.threads, gpus * search.trials_per_gpu)

    def engine(self) -> Engine:
        """Return an engine of workers that measure with this search's evaluator."""
        search, slots, places = self.search, self.slots, tuple(self._places())
        setup = partial(find_modules, places) if places else None
        evaluator = prepare_evaluator(self._for_workers(), search.folder.shared)
        if search.engine == "ray":
            return RayEngine(
                evaluator,
                slots,
                per_gpu=search.trials_per_gpu,
                trial_timeout=search.trial_timeout,
                setup=setup,
            )
        return LocalEngine(
            evaluator,
            jobs=slots.jobs,
            threads=slots.threads,
            gpus=slots.gpus,
            trial_timeout=search.trial_timeout,
            setup=setup,
        )

    def _for_workers(self) -> Evaluator:
        """Return the evaluator for workers; compute the outputs of its teacher, if it has one."""
        source = self.search.teacher_source
        if source is None:
            return self.bench.evaluator
        compute_outputs(self.search, self.device, self.announcer.say)
        return training_evaluator(
            self.search, self.device, self.numerics, teacher=source, start=self.start
        )

    def _places(self) -> Iterable[str]:
        """Yield the names of user code that a worker must import before it unpickles anything."""
        for place in (self.search.space_place, file_of(code_of(self.evaluator))):
            if isinstance(place, str):
                yield place
