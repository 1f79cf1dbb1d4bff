"""Networks for 32x32 colour images: of 1,000 drawn uniformly, 79% are under 50 MFLOPs.

Ours; around ResNet-8 of the MLPerf Tiny benchmark (arXiv 2106.07597: 16, 32 and 64 channels,
25 MFLOPs), whose residual 3x3 convolutions are among the options, beside the inverted residuals of
MobileNetV2 (arXiv 1801.04381) and attention with pooled keys (arXiv 2102.12122).
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

CONVOLUTIONS = (
    Conv(kernel=3),
    Conv(kernel=choice(3, 5), groups="depthwise"),
    InvertedResidual(kernel=choice(3, 5), expansion=choice(2, 4)),
)

FIRST = Stage(
    width=choice(8, 16, 24),
    entry=choice(Conv(kernel=3), InvertedResidual(kernel=3, expansion=choice(1, 2))),
    pool="none",
    norm=choice("batch", "lrn"),
    substages=repeat(choice(*CONVOLUTIONS), 0, 1),
)

HALVING = where(
    Stage(
        width=choice(16, 24, 32, 48, 64),
        entry=choice(Conv(kernel=3), InvertedResidual(kernel=choice(3, 5), expansion=choice(2, 4))),
        stride=choice(1, 2),
        pool=choice("max", "none"),
        norm=choice("batch", "lrn"),
        connections=choice("residual", "sparse"),
        substages=repeat(
            choice(
                *CONVOLUTIONS, Attention(heads=choice(2, 4), stride=2), FeedForward(expansion=2)
            ),
            1,
            3,
        ),
    ),
    lambda stage: (stage.stride == 2) == (stage.pool == "none"),  # halve the map exactly once
)

SPACE = Space(
    name="cifar10",
    description="3 to 4 stages for 32x32 images, about half of them under 30 MFLOPs",
    template=Architecture(
        stem=Stem(width=choice(8, 16)),
        stages=(FIRST, *repeat(HALVING, 2, 3)),
        head=Head(width=choice(0, 128)),
    ),
)
