"""Networks for images of 224x224 pixels: 9 in 10 of 1,000 drawn have 0.42 to 0.92 GFLOPs.

Ours; convolutions where maps are large and attention where they are small, as CoAtNet
(arXiv 2106.04803) found best, from the inverted residuals of MobileNetV2 (arXiv 1801.04381),
attention with pooled keys (arXiv 2102.12122) and feed-forwards.
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
    integer,
    repeat,
)

INVERTED = InvertedResidual(kernel=choice(3, 5, 7), expansion=choice(3, 4, 6))


def stage(width: int, substages: tuple[object, ...]) -> Stage:
    """Return a stage that halves the map at its entry."""
    return Stage(
        width=width,
        entry=INVERTED,
        stride=2,
        pool="none",
        norm=choice("batch", "lrn"),
        substages=substages,
    )


CONVOLUTIONS = repeat(choice(INVERTED, Conv(kernel=choice(3, 5), groups="depthwise")), 1, 3)
MIXED = repeat(
    choice(
        INVERTED, Attention(heads=choice(2, 4, 8), stride=choice(1, 2)), FeedForward(expansion=2)
    ),
    1,
    4,
)

SPACE = Space(
    name="imagenet",
    description="4 stages for 224x224 images: convolutions, then attention too",
    template=Architecture(
        stem=Stem(width=choice(16, 24, 32), stride=2),
        stages=(
            stage(integer(16, 32, 8), CONVOLUTIONS),
            stage(integer(32, 64, 8), CONVOLUTIONS),
            stage(integer(64, 128, 16), MIXED),
            stage(integer(128, 256, 32), MIXED),
        ),
        head=Head(width=choice(0, 640, 1280), dropout=0.2),
    ),
)
