"""Segmentation of grey scenes of 48x48 pixels: 90% of the networks take 1.7 to 39 MFLOPs.

Counted for 400 networks drawn uniformly, with 11 classes. Ours, for the data set `digits-scenes`:
inverted residuals (arXiv 1801.04381), LR-ASPP (arXiv 1905.02244), and decoders like a feature
pyramid's (arXiv 1612.03144) or a U-Net's (arXiv 1505.04597).
"""

from neptune_nas import (
    Architecture,
    Conv,
    DecoderHead,
    InvertedResidual,
    LrasppHead,
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
    name="digits-scenes",
    description="segmentation: 3 stages that halve the map, LR-ASPP or a light decoder",
    template=Architecture(
        stem=Stem(width=choice(8, 16), stride=choice(1, 2)),
        stages=repeat(HALVING, 3, 3),
        head=choice(
            LrasppHead(width=choice(16, 32)),
            DecoderHead(
                width=choice(8, 16, 24),
                skips=choice(1, 2, 3),
                merge=choice("add", "concat"),
                groups=choice(1, "depthwise"),
            ),
        ),
    ),
)
