"""A space that is scaled to the images and limits of a search: `--space auto`.

Ours; after the `cifar10` space of this folder: stages that halve the map, made of full and
depthwise convolutions, the inverted residuals of MobileNetV2 (arXiv 1801.04381) and, where maps are
small, attention with pooled keys (arXiv 2102.12122).
"""

from neptune_nas import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    InvertedResidual,
    Space,
    Stage,
    Stem,
    choice,
    repeat,
    where,
)

INVERTED = InvertedResidual(kernel=choice(3, 5), expansion=choice(1, 2))
CONVOLUTIONS = (Conv(kernel=3), Conv(kernel=choice(3, 5), groups="depthwise"), INVERTED)
MIXTURE = (*CONVOLUTIONS, Attention(heads=choice(2, 4), stride=2), FeedForward(expansion=2))


def _widths(width: float, *factors: float) -> tuple[int, ...]:
    """Return a width times each factor, rounded to a multiple of 4, for up to 4 heads."""
    return tuple(sorted({max(4, round(width * factor / 4) * 4) for factor in factors}))


def _halves_once(stage: Stage) -> bool:
    return (stage.stride == 2) == (stage.pool == "none")


def scaled(width: int, halvings: int, stride: int = 1, depth: int = 2) -> Space[Architecture]:
    """Return the space around `width` channels, whose stages halve the map up to `halvings` times.

    The stem has about as many channels, and a stride of at least `stride`. The widths that a stage
    chooses from grow from stage to stage, and overlap. `depth`: the most SubStages of a stage with
    small maps. A stage with large maps has at most one, and no attention, which is costly there.
    """

    def stage(i: int) -> Stage:
        is_large = i < halvings - 2
        growth = min(1 + i / 2, 3)
        return where(
            Stage(
                width=choice(*_widths(width * growth, 1, 1.5, 2, 3)),
                entry=choice(Conv(kernel=3), INVERTED),
                stride=choice(1, 2) if i else 1,
                pool=choice("none", "max") if i else "max",
                norm=choice("batch", "lrn"),
                connections="residual",
                substages=repeat(
                    choice(*(CONVOLUTIONS if is_large else MIXTURE)), 0, 1 if is_large else depth
                ),
            ),
            _halves_once,
        )

    last = halvings - 1
    return Space(
        name="auto",
        description=f"stages of {width} channels or more that halve the map up to {halvings} times",
        template=Architecture(
            stem=Stem(
                width=choice(*_widths(width, 0.5, 1, 1.5)),
                kernel=choice(3, 5),
                stride=choice(1, 2) if stride == 1 else stride,
            ),
            stages=(
                *map(stage, range(max(last, 1))),
                *(repeat(stage(last), 0, 1) if last else ()),
            ),
            head=Head(width=choice(0, *_widths(width, 8))),
        ),
    )


SPACE = scaled(16, 3)
