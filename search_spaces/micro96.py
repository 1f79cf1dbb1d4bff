"""The `micro` space for images of 96x96: the stem halves them, and there is one more stage.

Ours; 96x96 is the size of MLPerf Tiny's visual wake words (arXiv 2106.07597).
"""

from neptune_nas import integer
from neptune_nas.space.locate import find_module

WIDTHS = (
    integer(8, 24, 8),
    integer(8, 32, 8),
    integer(16, 48, 8),
    integer(24, 64, 8),
    integer(32, 128, 16),
)

SPACE = find_module("micro").micro(
    "micro96", "4 to 5 stages of int8 blocks for 96x96 images, on microcontrollers", 2, WIDTHS
)
