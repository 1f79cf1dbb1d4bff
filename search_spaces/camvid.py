"""Segmentation of road scenes: most networks take 0.2 to 5 GFLOPs at 480x360.

Ours, for CamVid (Brostow et al. 2008, doi 10.1016/j.patrec.2008.04.005) and photos like it. Strides
come early, as in MobileNetV2 (arXiv 1801.04381), whose inverted residuals are among the options.
The heads are LR-ASPP (arXiv 1905.02244) and decoders like a feature pyramid's (arXiv 1612.03144)
or a U-Net's (arXiv 1505.04597).
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

BLOCKS = (
    Conv(kernel=3, groups="depthwise"),
    InvertedResidual(kernel=choice(3, 5), expansion=choice(2, 4, 6), squeeze=choice(0, 4)),
)


def halving(*widths: int) -> Stage:
    """Return a stage that halves the map, with 0 to 3 SubStages."""
    return Stage(
        width=choice(*widths),
        entry=InvertedResidual(kernel=choice(3, 5), expansion=choice(2, 4, 6)),
        stride=2,
        pool="none",
        norm=choice("batch", "lrn"),
        substages=repeat(choice(*BLOCKS), 0, 3),
    )


SPACE = Space(
    name="camvid",
    description="segmentation: 4 stages that halve the map, LR-ASPP or a light decoder",
    template=Architecture(
        stem=Stem(width=choice(16, 24, 32), stride=2),
        stages=(
            halving(16, 24, 32),
            halving(24, 32, 48),
            halving(48, 64, 96),
            halving(64, 96, 128),
        ),
        head=choice(
            LrasppHead(width=choice(64, 128)),
            DecoderHead(
                width=choice(16, 32, 48),
                skips=choice(1, 2, 3),
                merge=choice("add", "concat"),
                kernel=choice(3, 5),
                groups=choice(1, "depthwise"),
            ),
        ),
    ),
)
