"""How boxes follow an image that is scaled and cropped."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from neptune_nas.data.fitting import Box, Fitting, area, clipped
from neptune_nas.data.pictures import read_picture

SIDES = st.tuples(st.integers(4, 200), st.integers(4, 200))
SHARES = st.tuples(*(st.floats(0, 1) for _ in range(4)))


@given(SIDES, SIDES, SHARES)
def test_there_and_back_is_the_same_box_inside_the_image(
    size: tuple[int, int], fitted: tuple[int, int], shares: tuple[float, ...]
) -> None:
    (height, width), (x1, y1, x2, y2) = size, shares
    box = clipped((x1 * width, y1 * height, x2 * width, y2 * height), size)
    fit = Fitting(size, fitted)
    assert fit.in_file(fit.fit(box)) == pytest.approx(box, abs=1e-6)


@given(SIDES, SIDES)
def test_the_image_that_is_kept_fills_the_fitted_one(
    size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    whole: Box = (0, 0, fitted[1], fitted[0])
    fit = Fitting(size, fitted)
    kept = fit.in_file(whole)
    assert fit.fit(kept) == pytest.approx(whole, abs=1e-6)
    height, width = size
    assert kept[2] - kept[0] == pytest.approx(width) or kept[3] - kept[1] == pytest.approx(height)


@pytest.mark.parametrize("size", [(60, 80), (80, 60), (64, 64), (30, 90)])
@pytest.mark.parametrize("fitted", [(32, 32), (48, 64), (120, 40)])
def test_a_bright_square_is_where_its_box_is(
    tmp_path: Path, size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    box: Box = (size[1] / 2 - 10, size[0] / 2 - 8, size[1] / 2 + 10, size[0] / 2 + 12)
    left, top, right, bottom = map(int, box)
    pixels = np.zeros(size, np.uint8)
    pixels[top:bottom, left:right] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    seen = read_picture(tmp_path / "a.png", (1, *fitted))
    rows, columns = np.nonzero(seen.pixels[0].numpy() > 127)
    found = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    wanted = clipped(Fitting(size, fitted).fit(box), fitted)
    assert found == pytest.approx(wanted, abs=1.01)
    inside = tuple(map(float, found))
    assert len(inside) == 4
    scale = Fitting(size, fitted)
    step = 1.5 * max(1, size[0] / fitted[0], size[1] / fitted[1])
    assert seen.in_file(inside) == pytest.approx(scale.in_file(wanted), abs=step)


def test_a_box_is_cut_at_the_edge_and_one_beside_the_image_has_no_area() -> None:
    assert clipped((-5, 2, 30, 4), (10, 20)) == (0, 2, 20, 4)
    assert area(clipped((25, 2, 30, 4), (10, 20))) == 0
    assert area((5, 5, 3, 9)) == 0
