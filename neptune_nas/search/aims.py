"""The aims of a search: objectives, limits, and the device and place that they come from."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from neptune_nas.data.names import FOLDER, SIZE
from neptune_nas.deploy.latency_place import PLACES, TORCH
from neptune_nas.deploy.targets import Target, larger_target, target_text, with_limits
from neptune_nas.errors import OptionError
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.metrics.registry import (
    COST,
    FLASH,
    IN_INT8,
    MACS,
    RAM,
    TIMED,
    Metric,
)


@dataclass(frozen=True, slots=True)
class Aims:
    """The objectives and constraints of a search, those of its target included.

    `latency_on`: where latency is measured, see `neptune_nas.deploy.latency_place`.
    """

    target: Target | None
    objectives: tuple[str, ...]
    constraints: tuple[str, ...]
    latency_on: str

    @property
    def is_timed(self) -> bool:
        """True if an objective or a constraint is timed."""
        limits = (parse_constraint(text).name for text in self.constraints)
        return not {each.name for each in TIMED}.isdisjoint((*self.objectives, *limits))

    @property
    def is_micro(self) -> bool:
        """True if the target is a microcontroller."""
        return self.target is not None and self.target.is_micro


def aims_of(
    target: Target | None,
    objectives: Sequence[str] | None,
    constraints: Sequence[str],
    latency_on: str | None,
    usual: Metric,
    main: Metric | None = None,
) -> Aims:
    """Return what a search asks for; what is None is chosen to suit the target.

    `usual`: the task's main metric; `main`: that of a user's own evaluator. Raises `OptionError`
    for a constraint beyond what the target has, and for a place of latency where none is asked for.
    """
    limits = tuple(constraints) if target is None else with_limits(target, constraints)
    wanted = _objectives_for(target, usual, main) if objectives is None else tuple(objectives)
    if latency_on and latency_on.startswith("ssh:") and target and target.runtime in PLACES:
        latency_on = f"{target.runtime}+{latency_on}"
    aims = Aims(target, wanted, limits, latency_on or TORCH)
    if latency_on is None and target is not None and aims.is_timed:
        return replace(aims, latency_on=target.runtime if target.runtime in PLACES else TORCH)
    if aims.latency_on != TORCH and not aims.is_timed:
        raise OptionError(
            "`latency_on` (--latency-on) and `latency_csv` (--latency-csv) say how latency is "
            "measured, but the search has none among its objectives and constraints: add it."
        )
    return aims


def _objectives_for(target: Target | None, usual: Metric, main: Metric | None) -> tuple[str, ...]:
    """Return the objectives that suit a target."""
    if target is None:
        return usual.name, COST.name
    scored = usual
    if target.is_micro and main is None:
        if usual.name not in IN_INT8:
            raise OptionError(
                f"target {target.name} runs networks in int8, in which {usual.title} cannot be "
                f"measured yet: leave `target` (--target) out."
            )
        scored = IN_INT8[usual.name]
    return (main or scored).name, (MACS if target.is_micro else TIMED[0]).name


def target_reason(target: Target, aims: Aims, *, chosen: bool) -> str:
    """Return the sentence on what a target stands for; `chosen`: it chose the objectives."""
    names = {limit.name for limit in target.limits}
    asked = [limit for limit in map(parse_constraint, aims.constraints) if limit.name in names]
    own = [str(limit) for limit in asked if limit not in target.limits]
    parts = [f"Target {target_text(target)}"]
    if target.limits:
        parts.append(f"{' and '.join(map(str, target.limits))} is what the firmware leaves")
    if own:
        parts.append(f"{' and '.join(own)} is asked for")
    if chosen:
        parts.append(f"objectives {', '.join(aims.objectives)}")
    if aims.is_timed and aims.latency_on in (TORCH, *PLACES) and target.name != "host":
        remedy = (
            f": `latency_on` (--latency-on), as {target.runtime}+ssh://USER@HOST, measures it there"
        )
        parts.append(
            f"{TIMED[0].title} is of this machine, not of the target"
            f"{remedy if target.runtime in PLACES else ''}"
        )
    return f"{'; '.join(parts)}."


def remedies(
    data: str,
    sides: Sequence[int],
    target: Target | None,
    needed: Collection[Mapping[str, float]],
) -> Iterator[str]:
    """Yield what may help where nothing meets the limits.

    `sides`: of an image, in pixels. `needed`: the limited costs of the networks that were seen.
    """
    smaller = min(32, min(sides) // 2)
    if data.startswith(FOLDER) and smaller:
        yield f"make the images smaller with {SIZE}{smaller} after the folder's name"
    sizes = [costs for costs in needed if {RAM.name, FLASH.name} <= costs.keys()]
    if target is None or not sizes:
        return
    larger = larger_target(sizes)
    if larger not in ("", target.name):  # whose own limits a user may have tightened
        yield f"take a board with more memory, such as `target` (--target) {larger}"
