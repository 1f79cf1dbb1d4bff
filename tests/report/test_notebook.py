"""A study as a page in a notebook, as text."""

from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.errors import OptionError
from neptune_nas.report.notebook import study_page
from neptune_nas.study.study import Study
from tests.report.fixtures import make_results, plain_results, plain_trial

EVIL = "<script>alert(1)</script>"


def test_the_page_has_cards_and_the_front() -> None:
    study = make_results(60)
    page = study_page(study)
    assert page.count('<div class="card') >= 1
    front = page.partition("The front")[2]
    for trial in study.pareto()[-10:]:
        assert f"<tr><td>{trial.number}</td>" in front


def test_a_card_names_the_next_command_unless_a_notebook_has_the_code() -> None:
    study = make_results(60)
    assert "neptune-nas train studies/digits --trial" in study_page(study)
    facts = replace(study.settings.facts, code={"__main__:Gate": "0123"})
    own = replace(study, settings=replace(study.settings, facts=facts))
    assert "neptune-nas train" not in study_page(own)


def test_the_page_warns_of_a_study_at_chance_first() -> None:
    page = study_page(plain_results(plain_trial(0, 0.1, 100)))
    assert 0 < page.index("better than chance") < page.index('class="cards"')


def test_the_page_says_what_to_take_before_the_cards() -> None:
    page = study_page(plain_results(plain_trial(0, 0.9, 100)))
    assert 0 < page.index("Take trial 0: accuracy 90.00%") < page.index('class="cards"')


def test_the_page_runs_and_loads_nothing() -> None:
    page = study_page(make_results(60))
    assert "<script" not in page
    assert "src=" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_study_shows_itself_as_that_page() -> None:
    study = make_results(60)
    assert study._repr_html_() == study_page(study)


def test_the_front_begins_with_the_best_and_counts_what_it_leaves_out() -> None:
    trials = [plain_trial(i, 0.3 + i / 100, 1000 * (i + 1)) for i in range(13)]
    front = study_page(plain_results(*trials)).partition("The front")[2]
    assert front.index("<td>12</td>") < front.index("<td>11</td>")
    assert "<td>2</td>" not in front
    assert "and 3 cheaper ones in the report." in front


def test_names_cannot_write_html() -> None:
    study = make_results(60)
    settings = replace(study.settings, name=EVIL)
    page = study_page(replace(study, settings=settings, folder=Path(EVIL)))
    assert EVIL not in page
    assert page.count("&lt;script&gt;") >= 1


def test_a_study_without_a_ranked_trial_says_so() -> None:
    page = study_page(plain_results(plain_trial(0, None, 100)))
    assert "no trial" in page
    assert "The front" not in page


def test_the_report_is_linked_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = replace(make_results(60), folder=tmp_path / "studies" / "digits")
    assert "<a " not in study_page(study)
    study.folder.mkdir(parents=True)
    (study.folder / "report.html").write_text("")
    assert '<a href="studies/digits/report.html"' in study_page(study)


@pytest.mark.parametrize("name", ["pareto", "hypervolume", "timeline", "rungs", "effects"])
def test_a_study_draws_its_figures(name: str) -> None:
    figure = make_results(60).plot(name)
    assert figure.data
    assert figure.layout.paper_bgcolor == "#ffffff"  # its dark text is read on dark pages too


def test_an_unknown_figure_of_a_study_is_refused_with_the_nearest() -> None:
    study: Study = plain_results()
    with pytest.raises(OptionError, match="figure 'hypervol' is unknown: did you mean 'hyperv"):
        study.plot("hypervol")
