"""Detection in grey scenes of 48x48 pixels: 90% of the networks take 1.7 to 32 MFLOPs.

Counted for 400 networks drawn uniformly, with 10 classes. Ours, for the data set `digits-boxes`:
inverted residuals (arXiv 1801.04381) and anchor-free heads like FCOS's (arXiv 1904.01355).
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

HALVING = Stage(
    width=choice(8, 16, 24, 32),
    entry=choice(Conv(kernel=3), InvertedResidual(kernel=choice(3, 5), expansion=choice(2, 4))),
    stride=2,
    pool="none",
    norm=choice("batch", "lrn"),
    substages=repeat(
        choice(
            Conv(kernel=3),
            Conv(kernel=choice(3, 5), groups="depthwise"),
            InvertedResidual(kernel=3, expansion=choice(2, 4)),
        ),
        0,
        2,
    ),
)

SPACE = Space(
    name="digits-boxes",
    description="detection: 3 stages that halve the map, an anchor-free head",
    template=Architecture(
        stem=Stem(width=choice(8, 16), stride=choice(1, 2)),
        stages=repeat(HALVING, 3, 3),
        head=DetectionHead(
            width=choice(16, 24, 32),
            levels=choice(1, 2, 3),
            depth=choice(0, 1, 2),
            groups=choice(1, "depthwise"),
        ),
    ),
)
