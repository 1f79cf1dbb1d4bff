"""The places of boxes in an image that is scaled and cropped to a network's size, and back."""

from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """An image of `size` that `neptune_nas.data.pixels` fits into `fitted`: height and width each.

    It is scaled by one factor until it covers `fitted`, and cropped to its middle.
    """

    size: tuple[int, int]
    fitted: tuple[int, int]

    @property
    def _window(self) -> Box:
        """The part of the image that is kept."""
        height, width = self.size
        wanted = self.fitted[1] / self.fitted[0]
        kept_width, kept_height = float(width), float(height)
        if width > wanted * height:
            kept_width = wanted * height
        else:
            kept_height = width / wanted
        left, top = (width - kept_width) / 2, (height - kept_height) / 2
        return left, top, left + kept_width, top + kept_height

    @property
    def _scale(self) -> tuple[float, float]:
        """Pixels of `fitted` for one of the image, across and down."""
        left, top, right, bottom = self._window
        return self.fitted[1] / (right - left), self.fitted[0] / (bottom - top)

    def fit(self, box: Box) -> Box:
        """Return a box of the image in pixels of `fitted`, which may reach beyond it."""
        (left, top, *_), (across, down) = self._window, self._scale
        x1, y1, x2, y2 = box
        return (x1 - left) * across, (y1 - top) * down, (x2 - left) * across, (y2 - top) * down

    def in_file(self, box: Box) -> Box:
        """Return a box of `fitted` in pixels of the image, cut at its edges."""
        (left, top, *_), (across, down) = self._window, self._scale
        x1, y1, x2, y2 = box
        whole = x1 / across + left, y1 / down + top, x2 / across + left, y2 / down + top
        return clipped(whole, self.size)


def clipped(box: Box, size: tuple[int, int]) -> Box:
    """Return the part of a box inside an image of `size`, height and width."""
    height, width = size
    left, top, right, bottom = box
    left, right = (min(max(side, 0.0), width) for side in (left, right))
    top, bottom = (min(max(side, 0.0), height) for side in (top, bottom))
    return left, top, right, bottom


def area(box: Box) -> float:
    """Return the area of a box in square pixels; 0 where its sides are crossed."""
    left, top, right, bottom = box
    return max(right - left, 0.0) * max(bottom - top, 0.0)
