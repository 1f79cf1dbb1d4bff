"""Hypothesis strategies for architectures, shared by every test that wants random ones."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from neptune_nas.architecture.records import (
    NORMS,
    POOLS,
    WIRINGS,
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
    Wiring,
)
from neptune_nas.nn.builder import least_size

KERNELS = st.sampled_from((1, 3, 5))
WIDTHS = st.sampled_from((4, 6, 8, 12, 16))
SQUEEZES = st.sampled_from((0, 0, 2, 4))
STRIDES = st.sampled_from((1, 1, 2))


def divisors(number: int) -> SearchStrategy[int]:
    """Return the numbers that divide `number`."""
    return st.sampled_from([d for d in range(1, number + 1) if number % d == 0])


def substages(width: int) -> SearchStrategy[object]:
    """Every built-in SubStage, with settings that fit `width`."""
    return st.one_of(
        st.builds(Conv, KERNELS, st.one_of(divisors(width), st.just("depthwise"))),
        st.builds(InvertedResidual, KERNELS, st.integers(1, 3), SQUEEZES),
        st.builds(Attention, divisors(width), st.sampled_from((0, 2, 3)), st.integers(1, 2)),
        st.builds(FeedForward, st.integers(1, 3)),
        st.just(Identity()),
    )


def entries() -> SearchStrategy[object]:
    """Every built-in entry, with settings that fit any width."""
    return st.one_of(
        st.builds(Conv, KERNELS, st.sampled_from((1, "depthwise"))),
        st.builds(InvertedResidual, KERNELS, st.integers(1, 3), SQUEEZES),
        st.just(Identity()),
    )


@st.composite
def connections(draw: st.DrawFn, count: int) -> Wiring | tuple[tuple[int, ...], ...]:
    """Return a named wiring, or any explicit one, of `count` SubStages."""
    if draw(st.booleans()):
        return draw(st.sampled_from(WIRINGS))
    reads = (draw(st.sets(st.integers(0, i), min_size=1)) for i in range(count))
    return tuple(tuple(sorted(read)) for read in reads)


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    """Return a closed stage of up to three SubStages."""
    width = draw(WIDTHS)
    inside = tuple(draw(st.lists(substages(width), max_size=3)))
    return Stage(
        width=width,
        entry=draw(entries()),
        stride=draw(STRIDES),
        pool=draw(st.sampled_from(POOLS)),
        norm=draw(st.sampled_from(NORMS)),
        connections=draw(connections(len(inside))),
        substages=inside,
    )


@st.composite
def architectures(draw: st.DrawFn, side: int = 16) -> Architecture:
    """Return a closed architecture of one to three stages for images of at least `side` pixels."""
    body = st.lists(stages(), min_size=1, max_size=3).map(tuple)
    return draw(
        st.builds(
            Architecture,
            stem=st.builds(Stem, WIDTHS, KERNELS, STRIDES),
            stages=body,
            head=st.builds(Head, st.sampled_from((0, 12)), st.sampled_from((0.0, 0.2))),
        ).filter(lambda architecture: least_size(architecture) <= side)
    )
