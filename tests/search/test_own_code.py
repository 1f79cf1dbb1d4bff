"""A study whose space's code is changed between two of its searches."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from torch import nn

from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.errors import StudyError
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import dry_run
from neptune_nas.space import Space, choice
from neptune_nas.study.read import read_study
from neptune_nas.trust.confirm import run_confirm
from tests.search.test_own_evaluator import Wide

CODE = {"kernel": 1}  # what is edited


@dataclass(frozen=True)
class Mix:
    """A user's SubStage."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, CODE["kernel"], padding="same")


SPACE = Space(
    "mixed",
    Architecture(
        stem=Stem(width=8),
        stages=(Stage(width=choice(*range(8, 40, 4)), substages=(choice(Conv(), Mix()),)),),
    ),
)


def test_a_study_whose_networks_are_other_ones_now_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Search(SPACE, trials=5, evaluator=Wide(), jobs=1, rungs=(1,), out=tmp_path)
    begun = asked.run()
    assert any(Mix() in trial.architecture.stages[0].substages for trial in begun.trials)
    refusal = r"trial \d of study .* had [\d,]+ FLOPs, but now [\d,]+: .* \(--study-name\)"
    with monkeypatch.context() as edited:
        edited.setitem(CODE, "kernel", 3)
        with pytest.raises(StudyError, match=refusal):
            replace(asked, trials=6).run()
        with pytest.raises(StudyError, match=refusal):
            run_confirm(replace(asked))
        with pytest.raises(StudyError, match=refusal):
            dry_run(replace(asked, trials=6))
        assert read_study(begun.folder, allow=(Mix,)).trials == begun.trials
    assert len(replace(asked, trials=6).run().trials) == 6
