"""Folders of images whose parts have targets: masks, or boxes."""

from functools import lru_cache
from math import ceil
from pathlib import Path

from neptune_nas.data.box_folder import load_box_folder
from neptune_nas.data.box_layout import BoxLayout, box_layout
from neptune_nas.data.folder import LOOKED_AT
from neptune_nas.data.listing import Listing
from neptune_nas.data.mask_folder import MaskLayout, load_mask_folder, mask_layout
from neptune_nas.data.pixels import ImageFormat, header_of, quiet_metadata
from neptune_nas.data.source import Source
from neptune_nas.errors import DataError

DenseLayout = MaskLayout | BoxLayout


def dense_layout(path: Path) -> DenseLayout | None:
    """Return where a folder has images and masks, or boxes; None for a folder of another kind."""
    return mask_layout(path) or box_layout(path)


def task_of_folder(path: Path) -> str:
    """Return the task that a folder of images is for, by what lies in it; no image is read."""
    tasks = {MaskLayout: "segmentation", BoxLayout: "detection"}
    return tasks.get(type(dense_layout(path)), "classification")


def load_dense_folder(
    text: str, layout: DenseLayout, cache: Path | None, form: ImageFormat | None = None
) -> Source:
    """Return the images of a folder with their masks or boxes, as its loader does."""
    if isinstance(layout, MaskLayout):
        return load_mask_folder(text, layout, cache, form)
    return load_box_folder(text, layout, cache, form)


def natural_size(layout: DenseLayout, text: str) -> tuple[tuple[int, int], bool]:
    """Return height and width of the image of median size, and whether all sizes are equal.

    By `LOOKED_AT` evenly spaced training images. Raises `DataError` where there are none.
    """
    return _natural_size(layout.root, layout.training, text)


@lru_cache(maxsize=2)
def _natural_size(root: Path, training: Path, text: str) -> tuple[tuple[int, int], bool]:
    """Return the natural size of a folder's images; their headers are read only once."""
    files = Listing(root).files(training)
    if not files:
        raise DataError(f"data 'folder:{text}': it needs training images, but has none: add some.")
    with quiet_metadata():
        forms = [header_of(file) for file in files[:: ceil(len(files) / LOOKED_AT)]]
    sizes = sorted(((form.height, form.width) for form in forms), key=min)
    return sizes[len(sizes) // 2], len({*sizes}) == 1
