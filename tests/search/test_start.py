"""A search whose networks start from a trained model."""

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from shutil import copytree

import pytest
from torch import nn

from neptune_nas.errors import NeptuneError, OptionError, StudyError
from neptune_nas.evaluators.evaluator import prepare_evaluator
from neptune_nas.evaluators.proxy_first import ProxyFirst
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import make_untrained, save_model
from neptune_nas.report.comparison import check_comparable
from neptune_nas.report.page import render
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import dry_run
from neptune_nas.search.resume import search_of
from neptune_nas.space import Space, choice, find_space
from neptune_nas.study.export import export_trial
from neptune_nas.study.study import Study
from neptune_nas.training.recipe import Recipe
from tests.study.fakes import Arithmetic

SHAPE = (1, 8, 8)


def save_trained(file: Path, seed: int = 0) -> Path:
    """Write a model whose weights count as trained."""
    of = without_study(find_space("tiny").sample(Random(3)), SHAPE, 10)
    save_model(file, replace(make_untrained(of, seed), provenance={"seed": seed}))
    return file


def asked(out: Path, start: Path | None, trials: int = 2) -> Search:
    recipe = Recipe(batch_size=64, precision="fp32")
    return Search(
        "tiny", "digits#64", trials, rungs=(1,), jobs=1, recipe=recipe, start=start, out=out
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_trained(tmp_path_factory.mktemp("models") / "model.safetensors")


@pytest.fixture(scope="module")
def begun(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a finished study whose networks started from the model."""
    return asked(tmp_path_factory.mktemp("studies"), model).run()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a study whose networks started from fresh weights."""
    return asked(tmp_path_factory.mktemp("studies"), None, 1).run()


@pytest.fixture
def moved(begun: Study, tmp_path: Path) -> Path:
    """Return a copy of it in another place."""
    return copytree(begun.folder, tmp_path / begun.folder.name)


def test_every_score_says_how_much_was_inherited(begun: Study) -> None:
    shares = [score.inherited for trial in begun.trials for score in trial.scores]
    assert len(shares) == 2
    assert all(share is not None and 0 < share <= 1 for share in shares)
    assert list(begun.to_dataframe()["inherited"]) == shares
    header = (begun.folder / "trials.csv").read_text("utf-8-sig").splitlines()[0]
    assert "inherited" in header.split(",")


def test_a_study_from_fresh_weights_has_no_such_column(fresh: Study) -> None:
    assert "inherited" not in fresh.to_dataframe()
    assert all(score.inherited is None for trial in fresh.trials for score in trial.scores)


def test_the_start_is_part_of_the_question_and_of_what_is_said(begun: Study, model: Path) -> None:
    question, facts = begun.settings.question, begun.settings.facts
    assert len(question.start) == 64
    assert str(model) in facts.start
    assert question.start[:12] in facts.start
    fresh = replace(begun.settings, question=replace(question, start=""))
    assert begun.settings.identity != fresh.identity
    assert begun.folder.name == "tiny-digits-64-first"
    page = render([begun])
    assert "from the weights of a trained model" in page
    assert f"Networks start from {model}" in page
    assert export_trial(begun, begun.trials[0]).provenance["start"] == facts.start


def test_what_random_networks_inherit_is_said_before(model: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    plan = dry_run(asked(tmp_path, model), heard.append)
    assert any("random ones inherit" in text for text in heard)
    assert plan.score is not None
    assert plan.score.inherited
    assert not asked(tmp_path, model).folder.path.exists()


def test_it_does_not_go_on_from_fresh_weights_or_another_model(moved: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"`start` \(--first\) sha256 \w{12}, but now it is none"):
        replace(asked(tmp_path, None, 3), name=moved.name).run()
    other = save_trained(tmp_path / "other.safetensors", seed=1)
    with pytest.raises(StudyError, match=r"sha256 \w+, but now it is sha256 .* copy .*shared"):
        replace(asked(tmp_path, other, 3), name=moved.name).run()


def test_what_began_fresh_does_not_go_on_from_a_model(fresh: Study, model: Path) -> None:
    search = replace(asked(fresh.folder.parent, model, 1), name=fresh.folder.name)
    with pytest.raises(StudyError, match=r"\(--first\) none, but now .*, leave it out"):
        search.run()


def test_it_goes_on_elsewhere_from_its_own_copy(moved: Path) -> None:
    search = replace(search_of(moved), trials=3)
    assert search.model is not None
    assert search.model.file == moved / "shared" / "first.safetensors"
    (found,) = [trial.score for trial in search.run().trials[2:]]
    assert found is not None
    assert found.inherited


def test_without_its_copy_a_sentence_says_what_to_do(moved: Path, model: Path) -> None:
    (moved / "shared" / "first.safetensors").unlink()
    with pytest.raises(StudyError, match=r"copy .*first\.safetensors is missing: put that model"):
        search_of(moved)
    assert len(replace(asked(moved.parent, model, 3)).run().trials) == 3
    assert search_of(moved).model is not None


def test_a_changed_copy_is_refused(moved: Path) -> None:
    save_trained(moved / "shared" / "first.safetensors", seed=1)
    with pytest.raises(StudyError, match="is not the model that networks started from"):
        replace(search_of(moved), trials=3).run()


def test_a_copy_that_leads_elsewhere_is_refused(moved: Path, model: Path) -> None:
    (moved / "shared" / "first.safetensors").unlink()
    (moved / "shared" / "first.safetensors").symlink_to(model)
    with pytest.raises(NeptuneError, match=r"first\.safetensors"):
        search_of(moved)


def test_what_is_measured_later_starts_from_the_model_too(moved: Path) -> None:
    evaluator = search_of(moved).assembly.evaluator
    assert isinstance(evaluator, ShortTraining)
    assert evaluator.start == search_of(moved).model


def test_a_proxy_below_training_passes_the_model_on(model: Path, tmp_path: Path) -> None:
    search = replace(asked(tmp_path, model), rungs=(0, 1))
    evaluator = prepare_evaluator(search.assembly.evaluator, tmp_path / "shared")
    assert isinstance(evaluator, ProxyFirst)
    assert evaluator.training.start is not None
    assert evaluator.training.start.file == tmp_path / "shared" / "first.safetensors"


def test_its_scores_do_not_compare_with_scores_from_fresh_weights(
    begun: Study, fresh: Study
) -> None:
    message = r"start from different weights \(fresh weights and .*model\.safetensors \(sha256"
    with pytest.raises(StudyError, match=message):
        check_comparable([fresh, begun])
    (reason,) = check_comparable([fresh, begun], force=True)
    assert "different weights" in reason
    assert check_comparable([begun, begun]) == ()


@dataclass(frozen=True)
class Linear:
    """A user's network, which shares no layer with ours."""

    width: int = 8

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        pixels = input_shape[0] * input_shape[1] * input_shape[2]
        return nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, self.width), nn.ReLU(), nn.Linear(self.width, outputs)
        )


LINEAR = Space(name="linear", template=Linear(width=choice(8, 16)))


def test_a_model_that_fits_no_network_is_refused_before_a_study_begins(
    model: Path, tmp_path: Path
) -> None:
    with pytest.raises(NeptuneError, match="there is nothing to inherit"):
        replace(asked(tmp_path, model), space=LINEAR).run()
    assert not any(tmp_path.iterdir())


def test_a_users_networks_inherit_by_name_where_shapes_agree(tmp_path: Path) -> None:
    old = make_untrained(without_study(Linear(8), SHAPE, 10))
    save_model(tmp_path / "m.safetensors", replace(old, provenance={}))
    search = replace(asked(tmp_path, tmp_path / "m.safetensors"), space=LINEAR)
    found = {trial.architecture: trial.scores[0] for trial in search.run().trials}
    assert found[Linear(8)].inherited == 1
    assert 0 < (found[Linear(16)].inherited or 0) < 0.1  # the bias of the last layer


def test_what_trains_nothing_starts_from_nothing(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"start.*table"):
        Search("tiny", start=model, table=tmp_path / "t.csv")
    with pytest.raises(OptionError, match=r"start.*evaluator"):
        Search("tiny", start=model, evaluator=Arithmetic())


def test_a_missing_model_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(NeptuneError, match=r"gone\.safetensors cannot be read"):
        asked(tmp_path, tmp_path / "gone.safetensors")
