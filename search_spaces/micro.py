"""Networks for microcontrollers and 32x32 images: half of those drawn have maps of up to 48 KiB.

Ours; runtimes have an int8 kernel for every operation in it. What MCUNet (arXiv 2007.10319) opens
in the inverted residuals of MobileNetV2 (arXiv 1801.04381), which is kernel, expansion, width and
depth, is open here, beside the squeeze-and-excitation of MobileNetV3 (arXiv 1905.02244). With an
expansion of 1 they are depthwise separable convolutions (arXiv 1704.04861). The 3x3 convolutions
are those of ResNet-8, the reference of MLPerf Tiny (arXiv 2106.07597). The first maps set the peak
of memory, so blocks are few and narrow there, and the stem may halve the image. All SubStages of a
stage are alike, so that small networks are not rare.
"""

from neptune_nas import (
    Architecture,
    Conv,
    Head,
    InvertedResidual,
    Space,
    Stage,
    Stem,
    choice,
    integer,
    repeat,
)

CONV = Conv(kernel=3)
LIGHT = InvertedResidual(kernel=3, expansion=choice(1, 2))
INVERTED = InvertedResidual(
    kernel=choice(3, 5), expansion=choice(1, 2, 3, 4, 6), squeeze=choice(0, 4)
)


def _stage(width: int, stride: int, block: object, depth: int) -> Stage:
    """Return a stage whose entry has the stride, with up to `depth` SubStages, all alike."""
    return Stage(
        width=width,
        entry=block,
        stride=stride,
        pool="none",
        norm="batch",
        connections=choice("residual", "chain"),
        substages=repeat(block, 0, depth, shared=True),
    )


def micro(name: str, description: str, stride: int, widths: tuple[int, ...]) -> Space[Architecture]:
    """Return a space with a stem of that stride and a stage for each of `widths`.

    All stages but the first halve the map. The last may be left out, and has no full convolutions,
    which would take most of the weights.
    """
    first, *wide, last = widths
    return Space(
        name=name,
        description=description,
        template=Architecture(
            stem=Stem(width=choice(8, 16, 24, 32), stride=stride),
            stages=(
                _stage(first, 1, choice(CONV, LIGHT), 1),
                *(_stage(width, 2, choice(CONV, INVERTED), 3) for width in wide),
                *repeat(_stage(last, 2, INVERTED, 2), 0, 1),
            ),
            head=Head(width=choice(0, 64, 128)),
        ),
    )


SPACE = micro(
    "micro",
    "3 to 4 stages of int8 blocks for 32x32 images, on microcontrollers",
    choice(1, 2),
    (integer(8, 32, 8), integer(8, 40, 8), integer(16, 64, 8), integer(32, 128, 16)),
)
