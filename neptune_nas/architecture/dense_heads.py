"""The heads of networks for segmentation and detection, as records.

They read the maps of several stages.

A level is a resolution. Its map is the last one of that resolution; the first level is the output
of the last stage, and each further one is the next larger map, up to the output of the stem.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from neptune_nas.architecture.fields import Open
from neptune_nas.errors import ArchitectureError
from neptune_nas.files.rules import ODD, Count, Size
from neptune_nas.files.schema import check

Merge = Literal["add", "concat"]
SEGMENTATION, DETECTION = "segmentation", "detection"


@dataclass(frozen=True, slots=True)
class LrasppHead:
    """MobileNetV3's segmentation head, LR-ASPP (arXiv 1905.02244); it reads two levels.

    A 1x1 convolution with batch norm and ReLU maps the first level to `width` channels, which a 1x1
    convolution of its mean with a sigmoid weights. Enlarged to the second level, it is classified
    by a 1x1 convolution, and so is the second level; the sum of both is enlarged to the image.
    Raises `ArchitectureError` for numbers out of their range; its `Architecture` raises it if no
    stage halves the map.
    """

    width: Size = 64

    task: ClassVar[str] = SEGMENTATION

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "LrasppHead", Open)

    @property
    def levels(self) -> int:
        """The number of levels that it reads."""
        return 2


@dataclass(frozen=True, slots=True)
class DecoderHead:
    """A light decoder for segmentation: a feature pyramid, or the second half of a U-Net.

    1x1 convolutions with batch norm and ReLU map the first level and `skips` further ones to
    `width` channels. From the first level on, maps are enlarged bilinearly to the next level,
    merged with it by addition ("add", arXiv 1612.03144) or concatenation ("concat", arXiv
    1505.04597), and pass a convolution with batch norm and ReLU: `kernel` pixels a side, odd; with
    `groups` "depthwise" it is separable, a depthwise one with batch norm and a 1x1 one. A last 1x1
    convolution classifies the pixels, and its output is enlarged to the image. Raises
    `ArchitectureError` for numbers out of their range; its `Architecture` raises it if there are
    fewer levels.
    """

    width: Size = 32
    skips: Size = 2
    merge: Merge = "add"
    kernel: Annotated[Size, ODD] = 3
    groups: Literal[1, "depthwise"] = "depthwise"

    task: ClassVar[str] = SEGMENTATION

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "DecoderHead", Open)

    @property
    def levels(self) -> int:
        """The number of levels that it reads."""
        return 1 + self.skips


@dataclass(frozen=True, slots=True)
class DetectionHead:
    """A detector without anchors, as FCOS (arXiv 1904.01355) is; it reads `levels` levels.

    1x1 convolutions with batch norm and ReLU map the levels to `width` channels. From the first
    level on, maps are enlarged bilinearly, added to the next level and smoothed by a convolution
    (arXiv 1612.03144). At each level, `depth` convolutions and then a 1x1 convolution predict the
    distances to the four sides of a box and the logits of its class. A convolution has `kernel`
    pixels a side, odd, with batch norm and ReLU; with `groups` "depthwise" it is separable, as a
    `DecoderHead`'s. Levels share no weights. Raises `ArchitectureError` for numbers out of their
    range; its `Architecture` raises it if there are fewer levels.
    """

    width: Size = 32
    levels: Size = 2
    depth: Count = 1
    kernel: Annotated[Size, ODD] = 3
    groups: Literal[1, "depthwise"] = "depthwise"

    task: ClassVar[str] = DETECTION

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "DetectionHead", Open)


DenseHead = LrasppHead | DecoderHead | DetectionHead
