"""Detection of blood cells: 90% of the networks take 67 to 250 MFLOPs at 320x240.

Counted for 400 networks drawn uniformly, with 3 classes. Ours, for BCCD (github.com/Shenggan/
BCCD_Dataset, MIT) and photos like it. Strides come early, as in MobileNetV2 (arXiv 1801.04381),
whose inverted residuals are among the options. The heads are anchor-free, like FCOS's (arXiv
1904.01355) and NanoDet's.
"""

from neptune_nas import (
    Architecture,
    Conv,
    DetectionHead,
    InvertedResidual,
    Space,
    Stage,
    Stem,
    choice,
    repeat,
)

BLOCKS = (
    Conv(kernel=3, groups="depthwise"),
    InvertedResidual(kernel=choice(3, 5), expansion=choice(2, 4), squeeze=choice(0, 4)),
)


def halving(*widths: int) -> Stage:
    """Return a stage that halves the map, with 0 to 2 SubStages."""
    return Stage(
        width=choice(*widths),
        entry=InvertedResidual(kernel=choice(3, 5), expansion=choice(1, 2, 4)),
        stride=2,
        pool="none",
        norm=choice("batch", "lrn"),
        substages=repeat(choice(*BLOCKS), 0, 2),
    )


SPACE = Space(
    name="bccd",
    description="detection: 4 stages that halve the map, an anchor-free head",
    template=Architecture(
        stem=Stem(width=choice(8, 16), stride=2),
        stages=(
            halving(8, 16, 24),
            halving(16, 24, 32),
            halving(24, 32, 48),
            halving(32, 48, 64, 96),
        ),
        head=DetectionHead(
            width=choice(16, 24, 32),
            levels=choice(1, 2, 3),
            depth=choice(0, 1, 2),
            kernel=choice(3, 5),
            groups=choice(1, "depthwise"),
        ),
    ),
)
