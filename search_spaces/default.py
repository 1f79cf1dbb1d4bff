"""The default space: small Neptune networks for small images, about a second of training each.

Ours; sized so that every architecture on 8x8 digits stays under 2 MFLOPs or little above.
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
                pool=choice("max", "avg", "none"),
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
