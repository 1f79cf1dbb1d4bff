"""The default space: small Neptune networks for small images, about a second of training each.

Ours; every stage halves the map, so that on 8x8 digits all architectures stay under 5 MFLOPs.
"""

from neptune_nas import Architecture, Attention, Conv, Space, Stage, Stem, choice, repeat

SPACE = Space(
    name="default",
    description="2 to 3 stages of 1 to 3 convolutions or attentions, for small images",
    template=Architecture(
        stem=Stem(width=choice(8, 16)),
        stages=repeat(
            Stage(
                width=choice(8, 16, 24, 32),
                pool=choice("max", "avg"),
                norm=choice("batch", "layer", "lrn", "mln"),
                substages=repeat(
                    choice(Conv(kernel=choice(3, 5)), Attention(heads=choice(2, 4))), 1, 3
                ),
            ),
            2,
            3,
        ),
    ),
)
