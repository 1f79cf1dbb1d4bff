"""The speed of the space language: size, numbering, samples, moves, and costs of known parts.

python -m benchmarks.space_speed
"""

from collections.abc import Callable
from random import Random
from time import perf_counter
from typing import Any

from neptune_nas import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Space,
    Stage,
    Stem,
    buildable,
    choice,
    integer,
    repeat,
    where,
)
from neptune_nas.metrics.counted import CostModel
from neptune_nas.space import find_space

POINTS = 2_000
COSTS = 10_000


def large_space() -> Space[Architecture]:
    """Return a nested space of more than 10^20 points with a local rule."""
    return Space(
        "large",
        Architecture(
            stem=Stem(width=integer(8, 64, 8)),
            stages=repeat(
                where(
                    Stage(
                        width=integer(16, 128, 16),
                        pool=choice("max", "avg", "none"),
                        norm=choice("batch", "layer", "lrn", "mln"),
                        substages=repeat(
                            choice(
                                Conv(kernel=choice(3, 5, 7), groups=choice(1, 2, "depthwise")),
                                Attention(heads=choice(2, 4, 8)),
                                FeedForward(expansion=choice(1, 2, 4)),
                            ),
                            1,
                            2,
                        ),
                    ),
                    buildable,
                ),
                2,
                6,
            ),
        ),
    )


def rate(do: Callable[[int], Any], times: int) -> float:
    """Return calls per second."""
    start = perf_counter()
    for i in range(times):
        do(i)
    return times / (perf_counter() - start)


def rule_combinations() -> tuple[int, float]:
    """Return the number of combinations seen by a rule on a record, and the seconds taken."""
    options = [*map(Conv, (1, 3, 5, 7, 9, 11)), *map(Attention, (2, 4, 8, 16))]
    options += map(FeedForward, range(1, 8))
    start = perf_counter()
    substages = repeat(choice(*options), 1, 3)
    Space("rule", where(Stage(width=integer(8, 40, 8), substages=substages), buildable))
    return 5 * sum(len(options) ** n for n in (1, 2, 3)), perf_counter() - start


def report(space: Space[Architecture]) -> None:
    """Print the rates of one space."""
    rng = Random(0)
    numbers = [rng.randrange(space.size) for _ in range(POINTS)]
    points = [space[number] for number in numbers]
    rates = {
        "space[i]": rate(lambda i: space[numbers[i]], POINTS),
        "index": rate(lambda i: space.index(points[i]), POINTS),
        "sample": rate(lambda _: space.sample(rng), POINTS),
        "sample by choice": rate(lambda _: space.sample(rng, by="choice"), POINTS),
        "mutate": rate(lambda i: space.mutate(points[i], rng), POINTS // 4),
        "crossover": rate(lambda i: space.crossover(points[i], points[i - 1], rng), POINTS // 4),
        "distance": rate(lambda i: space.distance(points[i], points[i - 1]), POINTS // 4),
    }
    print(f"{space.name}: {space.size:.2e} architectures")
    for name, value in rates.items():
        print(f"  {name:<17} {value:8,.0f} / s")


def report_costs() -> None:
    """Print the time to count the costs of random default architectures, first and later."""
    space, rng = find_space("default"), Random(0)
    model = CostModel((1, 8, 8), 10)
    architectures = [space.sample(rng) for _ in range(COSTS)]
    for what in ("parts unknown", "parts known"):
        start = perf_counter()
        for architecture in architectures:
            model.cost(architecture)
        seconds = perf_counter() - start
        print(f"costs of {COSTS:,} default architectures, {what}: {seconds:.2f} s")


def main() -> None:
    start = perf_counter()
    size = (space := large_space()).size
    print(f"a space of {size:.2e} made and counted in {perf_counter() - start:.3f} s")
    count, seconds = rule_combinations()
    print(f"a rule asked about {count:,} combinations in {seconds:.3f} s")
    report(space)
    report(find_space("default"))
    report_costs()


if __name__ == "__main__":
    main()
