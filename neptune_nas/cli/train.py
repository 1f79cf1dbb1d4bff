"""`neptune-nas train`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import Allow, allowed
from neptune_nas.cli.console import Quiet, stoppable
from neptune_nas.cli.pick import Best, MinAccuracy, Pick, TrialNumber
from neptune_nas.cli.recipe import (
    RecipeName,
    Set,
    Teacher,
    TeacherViews,
    Track,
    recipe_of,
    teacher_of,
)
from neptune_nas.cli.source import network_at
from neptune_nas.cli.study import DataDir, Device, Storage, study_at
from neptune_nas.cli.terminal import print_line
from neptune_nas.errors import OptionError, StudyError, one_of
from neptune_nas.interrupts import ctrl_c_held

if TYPE_CHECKING:
    from neptune_nas.models.architecture_file import ExportedArchitecture
    from neptune_nas.retrain.progress import TrainingStep
    from neptune_nas.retrain.run import Training

EXAMPLE = "Example: neptune-nas train best.json --data cifar10 --epochs 60 --seeds 3"

Source = Annotated[
    str,
    typer.Argument(
        help="An exported architecture, a trained model, a study's folder, or the name of a "
        "hand-designed network.",
        metavar="SOURCE",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(help="What to train on, as in search (default: the data of its search)."),
]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="The folder (default: trained/NETWORK-DATA).", metavar="DIR"),
]
Threads = Annotated[
    int | None, typer.Option(help="Threads (default: as many as train fastest in a few steps).")
]
First = Annotated[
    Path | None,
    typer.Option(
        "--first",
        help="A trained model (.safetensors) whose weights each seed starts from, where they fit.",
        metavar="MODEL",
    ),
]
Int8 = Annotated[
    bool | None,
    typer.Option(
        "--int8/--no-int8",
        help="Keep each seed's network in int8 too, fine-tuned where rounding costs more than half "
        "a point (default: if the search measured int8 accuracy).",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Train one epoch, print the plan, and stop.")
]


def train(
    source: Source,
    data: Data = None,
    epochs: Annotated[int, typer.Option(help="Epochs of each seed.")] = 60,
    seeds: Annotated[int, typer.Option(help="How many, counted from 0.")] = 3,
    which: Best = None,
    trial: TrialNumber = None,
    min_accuracy: MinAccuracy = None,
    recipe: RecipeName = None,
    values: Set = None,
    teacher: Teacher = None,
    teacher_views: TeacherViews = None,
    out: Out = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    threads: Threads = None,
    int8: Int8 = None,
    first: First = None,
    storage: Storage = None,
    allow: Allow = None,
    tracker: Track = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Train a network in full from several seeds. The test split is read once, at the end."""
    wanted = Pick(which, trial, min_accuracy)
    with ctrl_c_held():
        from neptune_nas.models.start import start_at
        from neptune_nas.retrain.run import Training
        from neptune_nas.trackers.tracker import check_tracker

    if tracker is not None:
        check_tracker(tracker)
    training = Training(
        source_at(source, wanted, storage, allow),
        data=data,
        epochs=epochs,
        seeds=seeds,
        out=out,
        data_dir=data_dir,
        device=device,
        threads=threads,
        int8=int8,
        allow=allowed(allow) if teacher else (),
        start=first if first is None or not allow else start_at(first, allowed(allow)),
        **teacher_of(teacher, teacher_views),
    )
    if (asked := recipe_of(recipe, values, lambda: training.used_recipe)) is not None:
        training = replace(training, recipe=asked)
    refuse_moved_pick(Path(source), training, wanted, storage)
    if dry_run:
        from neptune_nas.cli.trained import print_forecast

        print_forecast(training)
        return
    run(training, tracker, quiet)


def source_at(
    source: str, wanted: Pick, storage: str | None, allow: list[str] | None
) -> "ExportedArchitecture | str":
    """Return the network of SOURCE."""
    from neptune_nas.models.architecture_file import ExportedArchitecture
    from neptune_nas.nn.references import REFERENCES, is_reference

    path = Path(source)
    if path.is_dir() or path.is_file() or path.suffix == ".json":
        _, item = network_at(path, wanted, storage, allow)
        of = item if isinstance(item, ExportedArchitecture) else item.of
        return of if isinstance(of, ExportedArchitecture) else of.name
    wanted.refuse_for(source)
    if not is_reference(source):
        raise OptionError(
            f"{source} is not a file, a study's folder or a hand-designed network: "
            f"{one_of((*REFERENCES, 'plain-WIDTH', 'unet-WIDTH'), source)}"
        )
    return source


def refuse_moved_pick(
    source: Path, training: "Training", wanted: Pick, storage: str | None
) -> None:
    """Refuse to train a trial of a study in a folder that was begun with another trial."""
    from neptune_nas.retrain.terms import Terms
    from neptune_nas.study.folder import read_toml

    folder, item = training.folder, training.source
    if isinstance(item, str) or not source.is_dir():
        return
    if not folder.terms.exists() or (then := read_toml(folder.terms, Terms).network) == item.key:
        return
    for trial in study_at(source, storage, None).trials:
        if trial.key == then:
            raise StudyError(
                f"the {wanted.name} in {source} is trial {item.provenance['trial']}, but "
                f"{folder.path} was started with trial {trial.number}: use --trial {trial.number} "
                f"to go on with that one, or choose another folder as `out` (--out)."
            )


def run(training: "Training", tracker: str | None, quiet: bool) -> None:
    """Train with a line per epoch, and print the results."""
    from neptune_nas.cli.progress import say
    from neptune_nas.cli.trained import print_metrics
    from neptune_nas.devices.memory import keep_pages
    from neptune_nas.retrain.progress import epoch_line
    from neptune_nas.search.config import ignore
    from neptune_nas.trackers.tracker import tracking

    keep_pages()
    was_done = training.is_done
    folder = training.folder.path
    with (
        stoppable("trained", folder, lambda: training.folder.has_begun),
        tracking(tracker, folder, say) as tracked,
    ):

        def watch(step: "TrainingStep") -> None:
            if not quiet:
                print_line(epoch_line(step, training.task), stderr=True)
            tracked.add_epoch(step)

        metrics = training.run(watch, ignore if quiet else say)
        for seed in () if was_done else metrics.seeds:
            tracked.add_test(seed)
    if not quiet:
        with ctrl_c_held():  # the last lines say where the results are
            print_metrics(training, metrics, was_done)
