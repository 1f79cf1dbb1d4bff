from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from neptune_nas.search.recount import check_costs

from neptune_nas.architecture.records import Architecture
from neptune_nas.errors import ArchitectureError, StudyError
from neptune_nas.metrics.counted import Cost
from neptune_nas.study.trial import Trial

STORED = Cost(12_345, 100, 50).values
TRIAL = Trial(3, Architecture(), "key", STORED)


def test_trials_that_cost_what_they_did_pass() -> None:
    other = replace(TRIAL, number=4, values=Cost(0, 100, 50).values)
    check_costs(Path("mine"), [TRIAL], lambda _: STORED)
    with pytest.raises(StudyError, match="trial 4 of study mine had 0 FLOPs, but now 24,690: the"):
        check_costs(Path("mine"), [TRIAL, other], lambda _: STORED)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (Cost(12_345, 90, 50), "had 100 parameters, but now 90: the code"),
        (Cost(12_345, 100, 51), "had 50 activations, but now 51: the code"),
    ],
)
def test_the_cost_that_differs_is_told(now: Cost, told: str) -> None:
    with pytest.raises(StudyError, match=told):
        check_costs(Path("mine"), [TRIAL], lambda _: now.values)


def test_a_trial_that_cannot_be_counted_any_more_is_told() -> None:
    def lacking(_: Any) -> dict[str, float]:
        raise ArchitectureError("it is not in the table.")

    with pytest.raises(StudyError, match=r"cannot be counted now \(it is not in the table\): the"):
        check_costs(Path("mine"), [TRIAL], lacking)
