"""The options shared by all commands that measure more for a study."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from importlib import import_module
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate

import typer

from neptune_nas.cli.console import stoppable
from neptune_nas.cli.study import (
    DataDir,
    Device,
    EngineName,
    EvaluatorClass,
    EvaluatorKwargs,
    Gpus,
    Jobs,
    SpaceFile,
    Storage,
    StudyFolder,
    Threads,
    TrialsPerGpu,
    evaluator_of,
    storage_of,
)
from neptune_nas.cli.terminal import print_line
from neptune_nas.cli.values import whole_numbers
from neptune_nas.interrupts import ctrl_c_held

if TYPE_CHECKING:
    from neptune_nas.search.config import Search
    from neptune_nas.trust.loop import Forecast, Step


DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan, and stop.")]


@dataclass(frozen=True, slots=True)
class Measuring:
    """The study, and where and how to measure: each field is an option."""

    study: StudyFolder
    engine: EngineName = "local"
    jobs: Jobs = None
    threads: Threads = None
    gpus: Gpus = None
    trials_per_gpu: TrialsPerGpu = None
    device: Device = "auto"
    data_dir: DataDir = None
    storage: Storage = None
    allow: SpaceFile = None
    evaluator: EvaluatorClass = None
    evaluator_kwargs: EvaluatorKwargs = None

    def search(self) -> "Search":
        """Return the search that made the study, to measure more in the same way."""
        from dataclasses import replace

        from neptune_nas.cli.progress import say
        from neptune_nas.data.names import reading_note
        from neptune_nas.search.resume import search_of

        found = replace(
            search_of(
                self.study,
                storage_of(self.study, self.storage),
                self.allow,
                evaluator_of(self.evaluator, self.evaluator_kwargs),
                self.data_dir,
            ),
            engine=self.engine,
            jobs=self.jobs,
            threads=self.threads,
            gpus=() if self.gpus is None else whole_numbers(self.gpus, "--gpus", "0,1"),
            trials_per_gpu=1 if self.trials_per_gpu is None else self.trials_per_gpu,
            device=self.device,
        )
        if note := reading_note(found.question.data, self.study):
            say(note)
        return found


def print_step(step: "Step") -> None:
    """Print a result of a follow-up to standard error."""
    print_line(step.line, stderr=True)


def print_forecast(search: "Search", foreseen: "Forecast") -> None:
    """Print what a follow-up would do."""
    from neptune_nas.trust.loop import forecast_text

    print_line(forecast_text(foreseen, search.question.budget(foreseen.fidelity)))


def is_measured(study: Path) -> bool:
    """Return whether anything was measured for a study after its search."""
    from neptune_nas.study.confirmation import read_confirmations
    from neptune_nas.study.folder import Folder

    folder = Folder(study)
    kept = (folder.audit, folder.baselines, folder.references)
    return any(path.exists() for path in kept) or bool(read_confirmations(folder.confirmations))


def measuring(command: Callable[Concatenate[Measuring, ...], None]) -> Callable[..., None]:
    """Return the command with the fields of its first argument, `Measuring`, as options."""
    shared = [*signature(Measuring).parameters.values()]
    own = [*signature(command).parameters.values()][1:]

    @wraps(command)
    def run(**values: Any) -> None:
        measure = Measuring(**{field.name: values.pop(field.name) for field in fields(Measuring)})
        with stoppable("measured", measure.study, lambda: is_measured(measure.study)):
            with ctrl_c_held():
                import_module("neptune_nas.search.resume")  # before the command imports it, unheld
            command(measure, **values)

    order = [shared[0], *own, *shared[1:]]
    run.__signature__ = Signature(order)  # type: ignore[attr-defined]  # what `signature` looks for
    return run
