"""NAS-Bench-Macro, the published space of 6,561 networks for CIFAR-10, with Neptune's records.

Su et al. 2021, "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR,
arXiv 2103.11922; https://github.com/xiusu/NAS-Bench-Macro. Its 8-digit codes name the block at each
of 8 places: 0 the identity, 1 and 2 the inverted residuals, in the order below.
"""

from neptune_nas import (
    Architecture,
    Head,
    Identity,
    InvertedResidual,
    Space,
    Stage,
    Stem,
    choice,
)

BLOCK = choice(
    Identity(),
    InvertedResidual(kernel=3, expansion=3),
    InvertedResidual(kernel=5, expansion=6),
)


def stage(width: int, blocks: int) -> Stage:
    """Return a stage of blocks of one width; the first halves the map."""
    return Stage(
        width=width,
        entry=BLOCK,
        stride=2,
        pool="none",
        norm="batch",
        connections="residual",
        substages=(BLOCK,) * (blocks - 1),
    )


SPACE = Space(
    name="nasbench-macro",
    description="8 blocks in stages of 2, 3 and 3, each an identity or an inverted residual",
    template=Architecture(
        stem=Stem(width=32),
        stages=(stage(64, 2), stage(128, 3), stage(256, 3)),
        head=Head(width=1280),
    ),
)
