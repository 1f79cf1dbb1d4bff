from dataclasses import replace
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from neptune_nas.errors import NeptuneError, OptionError, StudyError
from neptune_nas.report import style
from neptune_nas.report.figures import FIGURES, image, plot
from neptune_nas.report.pareto_figure import pareto_figure
from neptune_nas.study.study import Study
from tests.report.fixtures import make_reference, make_results, plain_results, plain_trial, timed


def names(fig: go.Figure) -> list[str]:
    return [trace.name for trace in fig.data]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_drawn_and_written_as_json(name: str) -> None:
    assert plot(name, [make_results(60)]).to_json().startswith('{"data":[')


@pytest.mark.parametrize("name", sorted({*FIGURES} - {"importance", "effects"}))
def test_any_other_figure_of_an_empty_study_is_empty_not_an_error(name: str) -> None:
    assert plot(name, [plain_results()]).layout.height > 0


def test_the_front_of_an_empty_study_has_an_axis_from_0_to_1() -> None:
    assert pareto_figure([plain_results()]).layout.yaxis.range == (0, 1)


@pytest.mark.parametrize("name", ["importance", "effects"])
def test_what_mattered_needs_trials_of_one_study(name: str) -> None:
    with pytest.raises(StudyError, match="has 0 scored trials, but at least 40 are needed"):
        plot(name, [plain_results()])
    with pytest.raises(OptionError, match="one study at a time, but got 2: name one"):
        plot(name, [plain_results()] * 2)


def test_the_front_shows_rungs_apart_and_references_beside() -> None:
    fig = pareto_figure([make_results(60)])
    assert names(fig) == [
        "after 1 epoch",
        "after 3 epochs",
        "after 9 epochs",
        "Pareto front",
        "hand-made",
    ]
    assert fig.layout.xaxis.type == "log"


def test_the_points_of_the_front_are_its_trials() -> None:
    study = make_results(60)
    line = pareto_figure([study]).data[3]
    assert list(line.x) == [trial.values["flops"] for trial in study.pareto()]
    assert [study.trials[place] for place in line.customdata] == list(study.pareto())


def test_the_hover_shows_the_architecture() -> None:
    line = pareto_figure([make_results(60)]).data[3]
    assert all(text.startswith("trial ") and "<br>" in text for text in line.text)


def test_fronts_of_several_studies_lie_over_each_other() -> None:
    fig = pareto_figure([make_results(60), make_results(30, seed=1, name="other")])
    assert names(fig) == ["digits", "front of digits", "other", "front of other", "hand-made"]
    assert min(fig.data[2].customdata) >= 60  # places go on where the first study's end


def test_a_hopeless_few_do_not_flatten_the_rest_and_are_counted() -> None:
    good = [plain_trial(i, 0.9 + i / 1000, 1000 + i) for i in range(40)]
    fig = pareto_figure([plain_results(*good, plain_trial(40, 0.1, 5000))])
    assert fig.layout.yaxis.range[0] > 0.8
    assert fig.layout.xaxis.title.text.endswith("<br>(1 point below: autoscale shows all)")
    assert not fig.layout.annotations  # which could cover points


def test_limits_are_lines_named_in_the_legend() -> None:
    limited = [
        plain_results(plain_trial(0, 0.9, 1000), name=limit, constraints=(f"flops<={limit}",))
        for limit in ("2M", "1.9M", "2M")
    ]
    fig = pareto_figure(limited)
    lines = [(line.x0, line.x1, line.name, line.showlegend) for line in fig.layout.shapes]
    assert lines == [(1.9e6, 1.9e6, "limit 1.9M", True), (2e6, 2e6, "limit 2M", True)]
    assert not fig.layout.annotations


def test_the_view_includes_the_error_bars_of_references() -> None:
    spread = make_reference("wide", 0.2, 0.9)
    fig = pareto_figure([replace(plain_results(plain_trial(0, 0.5, 10)), references=(spread,))])
    assert fig.layout.yaxis.range[1] > spread.score + spread.deviation


def test_baselines_are_drawn_in() -> None:
    study: Study = replace(make_results(60), baselines={"random": make_results(30).trials})
    assert "baseline: random" in names(pareto_figure([study]))


def test_many_points_are_drawn_with_webgl_and_few_without() -> None:
    many = plain_results(*(plain_trial(i, 0.5, 1000) for i in range(style.WEBGL_ABOVE + 1)))
    assert pareto_figure([many]).data[2].type == "scattergl"
    assert pareto_figure([make_results(60)]).data[2].type == "scatter"


def test_an_unknown_figure_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean 'pareto'"):
        plot("pareta", [plain_results()])


def test_the_axis_of_latency_says_what_it_is() -> None:
    study = plain_results(timed(plain_trial(0, 0.9, 10), 1.5), objectives=("accuracy", "latency"))
    facts = replace(study.settings.facts, timed={"latency": "as the table says"})
    tabled = replace(study, settings=replace(study.settings, facts=facts))
    assert plot("pareto", [tabled]).layout.xaxis.title.text == (
        "latency of one image in ms (as the table says)"
    )


def test_a_latency_in_ms_has_no_prefix_and_other_costs_do() -> None:
    trial = timed(plain_trial(0, 0.9, 10_000), 0.5)
    in_ms = plot("pareto", [plain_results(trial, objectives=("accuracy", "latency"))])
    counted = plot("pareto", [plain_results(trial)])
    assert (in_ms.layout.xaxis.tickformat, counted.layout.xaxis.tickformat) == ("~r", "~s")
    assert all("%{x:.4r}" in trace.hovertemplate for trace in in_ms.data)
    assert all("%{x:.4s}" in trace.hovertemplate for trace in counted.data)


class Refusing(go.Figure):  # type: ignore[misc]  # plotly is untyped
    """A figure on a machine without a browser."""

    def to_image(self, *_: Any, **__: Any) -> bytes:
        raise RuntimeError("\nKaleido requires Google Chrome to be installed.\n\nmore")


class Obliging(go.Figure):  # type: ignore[misc]  # plotly is untyped
    """A figure whose picture is the name of its format."""

    def to_image(self, format: str, **_: Any) -> bytes:  # noqa: A002  # plotly's own name
        return format.encode()


@pytest.mark.parametrize("name", ["front", "front.bmp"])
def test_a_name_without_a_known_ending_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="must end in one of html, pdf, png, svg, webp"):
        image(go.Figure(), Path(name))


def test_without_kaleido_the_extra_is_named() -> None:
    with pytest.raises(NeptuneError, match=r"pip install 'neptune-nas\[image\]'"):
        image(go.Figure(), Path("front.png"), kaleido=False)


def test_without_a_browser_the_remedy_is_named() -> None:
    with pytest.raises(
        NeptuneError, match=r"\(Kaleido requires Google .*installed\.\).*BROWSER_PATH"
    ):
        image(Refusing(), Path("front.png"), kaleido=True)


def test_the_format_is_that_of_the_ending() -> None:
    assert image(Obliging(), Path("front.SVG"), kaleido=True) == b"svg"


def test_a_page_needs_neither_kaleido_nor_a_browser() -> None:
    assert b"Plotly.newPlot" in image(go.Figure(), Path("front.html"), kaleido=False)
