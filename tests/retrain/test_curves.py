from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.retrain.curves import loss_figure, render_curves, score_figure, shows_metrics
from neptune_nas.tasks.registry import TASKS
from neptune_nas.training.state import Epoch
from tests.report.reading import packed_json, unpack, visible
from tests.retrain.test_metrics import METRICS, TERMS

TASK = TASKS["classification"]
HISTORIES = {
    seed: [
        Epoch(
            n,
            2 / n,
            0.1,
            1.0,
            {"accuracy": 1 - 0.8 / n, "loss": 1.0},
            {"accuracy": 1 - 0.7 / n - 0.01 * seed, "loss": 1.0},
        )
        for n in range(1, 21)
    ]
    for seed in (0, 1)
}


@pytest.fixture(scope="module")
def page() -> str:
    return render_curves("a <b>net", TERMS, HISTORIES, METRICS, TASK)


def test_a_seed_has_a_line_for_each_kind_of_weights_and_a_star_for_what_was_kept() -> None:
    traces = score_figure(HISTORIES, TASK).data
    assert [trace.line.dash for trace in traces[:2]] == ["solid", "dot"]
    star = traces[2]
    assert (star.x, star.y) == ((20,), (1 - 0.7 / 20,))
    assert "ema" in star.hovertemplate
    assert len(traces) == 6


def test_the_loss_of_each_seed_is_drawn() -> None:
    traces = loss_figure(HISTORIES).data
    assert [trace.name for trace in traces] == ["seed 0", "seed 1"]
    assert traces[0].y[:2] == (2.0, 1.0)


def test_the_first_view_keeps_what_was_reached_after_the_beginning() -> None:
    low, high = score_figure(HISTORIES, TASK).layout.yaxis.range
    first, sixth = (HISTORIES[0][n].values["accuracy"] for n in (0, 5))
    assert first < low < sixth
    assert high > 1 - 0.7 / 20


def test_a_single_epoch_is_drawn_as_a_point() -> None:
    one = {0: HISTORIES[0][:1]}
    assert [trace.mode for trace in score_figure(one, TASK).data] == ["markers"] * 3
    low, high = score_figure(one, TASK).layout.xaxis.range
    assert low < 1 < high


def test_the_page_opens_with_the_outcome(page: str) -> None:
    assert "Test accuracy 0.8500 ± 0.0707 over 2 seeds after 20 epochs on digits" in page


def test_a_page_tells_its_own_metrics_and_no_others(page: str, tmp_path: Path) -> None:
    (file := tmp_path / "curves.html").write_text(page)
    assert shows_metrics(file, METRICS)
    assert not shows_metrics(file, replace(METRICS, seeds=METRICS.seeds[:1]))
    file.write_text(render_curves("net", TERMS, HISTORIES, None, TASK))
    assert not shows_metrics(file, METRICS)
    assert not shows_metrics(tmp_path / "gone.html", METRICS)


def test_without_metrics_the_page_says_that_the_test_split_was_not_read() -> None:
    page = render_curves("net", TERMS, {0: HISTORIES[0], 1: HISTORIES[1][:3]}, None, TASK)
    assert "1 of 2 seeds trained, the test split not read" in page
    assert "0.8000" not in visible(page)


def test_the_page_is_one_file_that_loads_nothing(page: str) -> None:
    assert 'src="' not in page
    assert "default-src 'none'" in page
    assert "plotly.js v" in unpack(page, "plotly")[:200]
    assert {*packed_json(page)} == {"scores", "loss"}


def test_a_name_is_shown_as_it_is(page: str) -> None:
    assert "a &lt;b&gt;net" in page
    assert "a <b>net" not in page


def test_smoothed_labels_are_said_where_there_are_any() -> None:
    smooth = replace(TERMS, recipe={"label_smoothing": 0.1})
    assert "labels smoothed by 0.1" in render_curves("net", smooth, HISTORIES, None, TASK)
    assert "smoothed" not in render_curves("net", TERMS, HISTORIES, None, TASK)
