"""A tiny space, small enough to look at every point: 600 networks for 8x8 images.

Ours; for exhaustive checks of samplers and of the space language itself.
"""

from neptune_nas import Architecture, Attention, Conv, Space, Stage, Stem, choice, repeat

SPACE = Space(
    name="tiny",
    description="1 to 2 stages of 1 to 2 convolutions or attentions, for exhaustive checks",
    template=Architecture(
        stem=Stem(width=8),
        stages=repeat(
            Stage(
                width=choice(8, 16),
                norm=choice("batch", "lrn"),
                substages=repeat(choice(Conv(kernel=3), Attention(heads=2)), 1, 2),
            ),
            1,
            2,
        ),
    ),
)
