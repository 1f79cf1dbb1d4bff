"""Inverted residuals only, in stages that halve the map.

After MobileNetV2 (arXiv 1801.04381), with what ProxylessNAS (arXiv 1812.00332) opens in it: kernel
3, 5 or 7, expansion 3 or 6 and the depth of each stage; here the widths too.
"""

from neptune_nas import (
    Architecture,
    Head,
    InvertedResidual,
    Space,
    Stage,
    Stem,
    choice,
    integer,
    repeat,
)

BLOCK = InvertedResidual(kernel=choice(3, 5, 7), expansion=choice(3, 6))


def stage(width: int, entry: InvertedResidual, stride: int, deepest: int) -> Stage:
    """Return a stage of blocks of one width; the first has the stride."""
    return Stage(
        width=width,
        entry=entry,
        stride=stride,
        pool="none",
        norm="batch",
        substages=repeat(BLOCK, 0, deepest),
    )


SPACE = Space(
    name="mobile",
    description="4 stages of inverted residuals, for any image size",
    template=Architecture(
        stem=Stem(width=choice(16, 24, 32), stride=choice(1, 2)),
        stages=(
            stage(integer(8, 24, 8), InvertedResidual(kernel=3, expansion=1), 1, 1),
            stage(integer(16, 40, 8), BLOCK, 2, 3),
            stage(integer(32, 96, 16), BLOCK, 2, 3),
            stage(integer(96, 192, 32), BLOCK, 2, 3),
        ),
        head=Head(width=choice(0, 320, 640)),
    ),
)
