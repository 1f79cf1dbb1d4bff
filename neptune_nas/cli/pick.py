"""The options that pick one trial of a study."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.values import check_known
from neptune_nas.errors import OptionError, StudyError

if TYPE_CHECKING:
    from neptune_nas.study.study import Study
    from neptune_nas.study.trial import Trial

Best = Annotated[
    str | None,
    typer.Option(
        "--best",
        help="efficiency, knee, a cost, or the main metric, such as accuracy or miou (in int8 "
        "where that was searched for); default: the first of the study's ranking.",
    ),
]
TrialNumber = Annotated[int | None, typer.Option("--trial", help="A trial by its number.")]
MinAccuracy = Annotated[
    float | None,
    typer.Option(
        help="Rank only trials with at least this (default: those not clearly worse than the best)."
    ),
]


@dataclass(frozen=True, slots=True)
class Pick:
    """The choice of one trial of a study by options."""

    which: str | None = None
    number: int | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        if self.which is not None and self.number is not None:
            raise OptionError("--best and --trial exclude each other: give one of them.")

    @property
    def name(self) -> str:
        """The trial that is picked, in words."""
        if self.number is not None:
            return "chosen trial"
        return f"trial now first by {self.which}" if self.which else "trial now first"

    def of(self, found: "Study") -> "Trial":
        """Return the trial with the given number, or else the best one by the ranking `which`."""
        if self.number is not None:
            return numbered(found, self.number)
        if self.which is not None:
            from neptune_nas.study.ranking import EFFICIENCY, KNEE, asked_ranking

            question = found.settings.question
            known = EFFICIENCY, question.main.name, KNEE
            check_known(asked_ranking(question, self.which), "--best", known)
        return found.best(self.which, self.min_accuracy)

    def refuse_for(self, source: str | Path) -> None:
        """Refuse these options for a source that is not a study."""
        if self != Pick():
            raise OptionError(
                f"--best, --trial and --min-accuracy pick a trial of a study, but {source} is not "
                f"a folder: leave them out, or name a study's folder."
            )


def numbered(found: "Study", number: int) -> "Trial":
    """Return the trial with this number; raises `StudyError` if the study has none."""
    for trial in found.trials:
        if trial.number == number:
            return trial
    numbers = [trial.number for trial in found.trials]
    has = f"trials {numbers[0]} to {numbers[-1]}" if numbers else "no trials"
    raise StudyError(f"study {found.folder} has {has}, but --trial asks for {number}.")
