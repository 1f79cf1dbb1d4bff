"""The latencies of a search's networks in a place: few are measured, the rest are predicted."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from platform import node
from random import Random
from time import time
from typing import Any

import torch
from torch import Tensor, nn

from neptune_nas.architecture.codec import key
from neptune_nas.deploy.latency import delivered_file, time_file, untrained_file
from neptune_nas.deploy.latency_model import LEAST, LatencyModel, UnmeasuredError
from neptune_nas.deploy.latency_place import PLACES, Place, check_runtime, place_in
from neptune_nas.deploy.latency_table import (
    Measured,
    architecture_in,
    measured,
    read_latencies,
    write_latencies,
)
from neptune_nas.errors import (
    ArchitectureError,
    FileFormatError,
    NeptuneError,
    OptionError,
    StudyError,
)
from neptune_nas.evaluators.bench import Bench
from neptune_nas.files.cache import cache_folder
from neptune_nas.files.regular import is_there
from neptune_nas.files.schema import located
from neptune_nas.graphs.lowering import UnsupportedOperationError, lower
from neptune_nas.metrics.constraints import Constraint, is_timed
from neptune_nas.metrics.costs import Costs, CostSource
from neptune_nas.metrics.counted import WHOLE
from neptune_nas.metrics.registry import MACS
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import make_untrained
from neptune_nas.nn.builder import NetworkPart, build, build_part, parts
from neptune_nas.nn.dense_heads import DenseHead
from neptune_nas.nn.stage import Cell
from neptune_nas.search.announcer import Announcer
from neptune_nas.search.config import Search
from neptune_nas.space import Space

NETWORKS = 50
"""The most networks that are measured before a search."""
_DRAWS = 8 * NETWORKS
_STALE = 86_400.0  # seconds; later, the machine may be another one


@dataclass(frozen=True)
class SearchLatencies:
    """The latencies of a search's networks in the place that its question names."""

    search: Search
    bench: Bench
    space: Space[Any]
    records: tuple[type, ...]
    announcer: Announcer

    @cached_property
    def place(self) -> Place | None:
        """The place where networks are measured; None where they are not."""
        return place_in(self.search.question.latency_on)

    @property
    def _file(self) -> Path:
        """The file with measurements: the one given, else the study's."""
        given = self.search.latency_csv
        return self.search.folder.latencies if given is None else Path(given)

    @property
    def announcement(self) -> str:
        """A sentence on networks that have to be measured; empty where none do."""
        if self.place is None or self.search.latency_csv is not None or is_there(self._file):
            return ""
        return (
            f"Measuring up to {NETWORKS} networks with {self.place}, to predict the latency of "
            f"the others."
        )

    @cached_property
    def measured(self) -> tuple[Measured, ...]:
        """The latencies that others are predicted from: a file's, the study's, or new ones."""
        if self.search.latency_csv is not None or is_there(self._file):
            known = _fitted(self._file)
            own = self.search.folder.latencies
            if is_there(own) and _fitted(own) != known:
                raise StudyError(
                    f"study {self.search.folder.path} predicts latency from other measurements "
                    f"than {self._file} has: leave out `latency_csv` (--latency-csv), or begin a "
                    f"new study with `name` (--name)."
                )
            return known
        if self.place is None:
            raise OptionError(
                f"the latencies of study {self.search.folder.path} come from a file of "
                f"measurements, but it has no {self._file.name}: pass that file as `latency_csv` "
                f"(--latency-csv)."
            )
        check_runtime(self.place)
        chosen = self._spread()
        drafted = {row.key: row for row in self._stopped(chosen)}
        note = self.announcer.progress(f"Measuring latency with {self.place}")
        found: list[Measured] = []
        for number, architecture in enumerate(chosen, start=1):
            name = key(architecture)
            if name not in drafted:
                drafted[name] = self._measure(architecture, self.place)
                if self._draft is not None:
                    with suppress(NeptuneError):  # such as a full disk: the draft only saves time
                        write_latencies(self._draft, drafted.values())
            found.append(drafted[name])
            note(number, len(chosen))
        return tuple(found)

    @cached_property
    def _draft(self) -> Path | None:
        """The file of the measurements so far, until the study has them; None without a cache."""
        folder, shape = cache_folder(), self.bench.input_shape
        question = self.search.question
        asked = (node(), str(self.place), self.search.folder.path.resolve(), question.seed)
        text = repr((*asked, self.space.name, question.limits, shape, self.bench.classes))
        name = f"{sha256(os.fsencode(text)).hexdigest()[:32]}.csv"
        return None if folder is None else folder / "latencies" / name

    def _stopped(self, chosen: list[Any]) -> list[Measured]:
        """Return what a search that was stopped within a day had measured of some networks."""
        if self._draft is None:
            return []
        try:
            is_new = time() - self._draft.stat().st_mtime < _STALE
            rows = read_latencies(self._draft) if is_new else ()
        except (OSError, FileFormatError):  # there is none, or it is damaged
            return []
        wanted = {key(architecture) for architecture in chosen}
        found = [row for row in rows if row.key in wanted]
        if found:
            self.announcer.say(
                f"{len(found)} of {len(chosen)} networks were measured before the search was "
                f"stopped, and are not measured again."
            )
        return found

    @cached_property
    def model(self) -> LatencyModel:
        """The predicted latency of any network."""
        shape, classes = self.bench.input_shape, self.bench.classes
        return LatencyModel([*self._rows()], shape, classes, self._check)

    def _rows(self) -> Iterator[tuple[Any, float]]:
        for number, row in enumerate(self.measured, start=1):
            with located(f"{self._file}: row {number}"):
                architecture = architecture_in(row, self.records)
                if architecture not in self.space:
                    raise FileFormatError(
                        f"network {key(architecture)} is not in space '{self.space.name}': leave "
                        f"the row out."
                    )
            yield architecture, row.latency_ms

    @property
    def source(self) -> CostSource:
        """The costs of the bench, for architectures that the runtime can run."""
        return _RunnableCosts(self.bench.costs, self.model)

    @cached_property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints, those on latency tightened by the margin of predictions."""
        share = 1 + self.model.accuracy.margin
        return tuple(
            replace(each, limit=each.limit / share) if is_timed(each) else each
            for each in self.search.question.limits
        )

    def keep(self) -> None:
        """Write the measurements to the study's folder, unless they are there."""
        folder = self.search.folder
        if not is_there(folder.latencies):
            write_latencies(folder.latencies, self.measured)
        if self._draft is not None:
            with suppress(OSError):
                self._draft.unlink(missing_ok=True)

    def __str__(self) -> str:
        found = self.model.accuracy
        limits = [
            f"{each.name} {each.op} {each.limit:.3g} ms" for each in self.limits if is_timed(each)
        ]
        kept = f"; candidates have to keep {' and '.join(limits)}, a margin of {found.margin:.1%}"
        return f"latency is {found}{kept if limits else ''}.{self._gaps()}"

    def _gaps(self) -> str:
        """Return a sentence on networks without a prediction; empty where a few draws have none."""
        rng = Random(f"{self.search.question.seed}/gaps")
        for _ in range(NETWORKS):
            try:
                self.model(self.space.sample(rng))
            except UnmeasuredError as error:
                return f" Networks whose latency cannot be predicted are left out, as where {error}"
            except ArchitectureError:
                continue
        return ""

    def _spread(self) -> list[Any]:
        """Return at most 50 networks that can be measured and meet the quick limits.

        Where too few of those drawn meet them, others serve too.
        """
        question = self.search.question
        quick = [each for each in question.limits if not is_timed(each) and each.name not in WHOLE]
        costs = Costs(self.bench.costs, question.costs, quick)
        macs = partial(costs.value, MACS.name)

        def fits(architecture: Any) -> bool:
            return self._runs(architecture) and costs.feasible(architecture)

        found = spread_networks(self.space, fits, macs, question.seed)
        if len(found) >= LEAST:
            return found
        return spread_networks(self.space, self._runs, macs, question.seed)

    def _runs(self, architecture: Any) -> bool:
        """Return whether the runtime can run all parts of a network."""
        try:
            for part in parts(architecture, self.bench.input_shape, self.bench.classes):
                self._check(part)
        except ArchitectureError:
            return False
        return True

    def _check(self, part: NetworkPart) -> None:
        """Raise `ArchitectureError` for a part that the runtime cannot run."""
        if self.place is not None and PLACES[self.place.runtime].is_lowered:
            if part not in self._obstacles:
                self._obstacles[part] = _obstacle(part)
            if why := self._obstacles[part]:
                raise UnsupportedOperationError(f"{part.name}: {why}")

    @cached_property
    def _obstacles(self) -> dict[NetworkPart, str]:
        """Why the runtime cannot run a part, empty where it can, for the parts seen so far."""
        return {}

    def _measure(self, architecture: Any, place: Place) -> Measured:
        """Return the latency of an untrained network.

        Torch's exporter writes what the quick one cannot.
        """
        shape, classes = self.bench.input_shape, self.bench.classes
        try:
            content = untrained_file(build(architecture, shape, classes, 0), shape, place.runtime)
        except UnsupportedOperationError:
            if place.runtime != "onnxruntime":
                raise
            model = make_untrained(without_study(architecture, shape, classes))
            content = delivered_file(model, place.runtime)
        timing = time_file(content, place)
        return measured(architecture, timing.median, timing.spread)


def _fitted(file: Path) -> tuple[Measured, ...]:
    """Return the measurements of a file that predictions are fitted to."""
    return tuple(row for row in read_latencies(file) if row.use == "fit")


class _Output(nn.Module):
    """A part's module, called with one or more maps, which gives only its last map."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *maps: Tensor) -> Tensor:
        """Return the last map of a cell or a detector, which take a list, or the only one."""
        takes_list = isinstance(self.module, Cell | DenseHead)
        found: Tensor | list[Tensor] = self.module(list(maps) if takes_list else maps[0])
        return found[-1] if isinstance(found, list) else found


def _obstacle(part: NetworkPart) -> str:
    """Return why no runtime of a device can run a part; empty where one can."""
    with torch.device("meta"):
        module, inputs = _Output(build_part(part)), part.inputs()
    try:
        lower(module, *(inputs if isinstance(inputs, list) else [inputs]))
    except UnsupportedOperationError as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True)
class _RunnableCosts:
    """A source of costs that has none for architectures which a runtime cannot run."""

    source: CostSource
    model: LatencyModel

    def value(self, name: str, architecture: Any) -> float:
        """Return one counted metric."""
        self.model(architecture)
        return self.source.value(name, architecture)

    def values(self, architecture: Any, names: Iterable[str] = ()) -> Mapping[str, float]:
        """Return the metrics that are always known, and the counted ones among `names`."""
        self.model(architecture)
        return self.source.values(architecture, names)


def spread_networks(
    space: Space[Any], fits: Callable[[Any], bool], macs: Callable[[Any], float], seed: int
) -> list[Any]:
    """Return at most 50 networks that fit, from few to many MACs.

    Half of the draws are uniform at each choice, which gives smaller networks.
    """
    rng = Random(f"{seed}/latency")
    drawn: dict[Any, float | None] = {}
    for number in range(_DRAWS):
        one = space.sample(rng, by="choice" if number % 2 else "architecture")
        if one not in drawn:
            drawn[one] = macs(one) if fits(one) else None
    known = {one: cost for one, cost in drawn.items() if cost is not None}
    ordered = sorted(known, key=known.__getitem__)
    if len(ordered) <= NETWORKS:
        return ordered
    step = (len(ordered) - 1) / (NETWORKS - 1)
    picked = [ordered[round(place * step)] for place in range(NETWORKS)]
    rng.shuffle(picked)  # so that folds of neighbours do not miss a size
    return picked
