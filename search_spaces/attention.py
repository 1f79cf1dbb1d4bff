"""Transformer-like networks: attention and feed-forward in turns, on ever smaller maps.

Ours, after the Pyramid Vision Transformer (arXiv 2102.12122: pooled keys and values), the Swin
Transformer (arXiv 2103.14030: windows) and AutoFormer (arXiv 2107.00651: heads, expansion and depth
are what is searched). One norm and one number of heads for the whole network.
"""

from neptune_nas import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Space,
    Stage,
    Stem,
    choice,
    repeat,
    tie,
)
from neptune_nas.architecture.records import Norm

HEADS = tie("heads", choice(2, 4, 8))
NORM: Norm = tie("norm", choice("layer", "rms", "lrn", "mln"))
BLOCK = (
    choice(
        Attention(heads=HEADS),
        Attention(heads=HEADS, window=choice(4, 8)),
        Attention(heads=HEADS, stride=choice(2, 4)),
    ),
    FeedForward(expansion=choice(2, 4)),
)

SPACE = Space(
    name="attention",
    description="2 to 3 stages of 1 to 3 transformer blocks",
    template=Architecture(
        stem=Stem(width=choice(16, 32), stride=choice(1, 2)),
        stages=repeat(
            Stage(
                width=choice(32, 48, 64, 96),
                entry=Conv(kernel=choice(1, 3)),
                stride=2,
                pool="none",
                norm=NORM,
                substages=choice(BLOCK, BLOCK * 2, BLOCK * 3),
            ),
            2,
            3,
        ),
    ),
)
