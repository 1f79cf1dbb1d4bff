"""`neptune-nas train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import Allow, allowed
from neptune_nas.cli.console import stoppable
from neptune_nas.cli.pick import Best, MinAccuracy, Pick, TrialNumber
from neptune_nas.cli.study import DataDir, Device, Storage, study_at
from neptune_nas.cli.terminal import print_line
from neptune_nas.errors import OptionError, one_of
from neptune_nas.interrupts import ctrl_c_held

if TYPE_CHECKING:
    from neptune_nas.models.architecture_file import ExportedArchitecture
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
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help="A .toml or .json file with a recipe (default: the search's, or that of the data).",
        metavar="FILE",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="The folder (default: trained/NETWORK-DATA).", metavar="DIR"),
]
Threads = Annotated[int | None, typer.Option(help="Threads (default: one per core).")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Train one epoch, print the plan, and stop.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]


def train(
    source: Source,
    data: Data = None,
    epochs: Annotated[int, typer.Option(help="Epochs of each seed.")] = 60,
    seeds: Annotated[int, typer.Option(help="How many, counted from 0.")] = 3,
    which: Best = None,
    trial: TrialNumber = None,
    min_accuracy: MinAccuracy = None,
    recipe: RecipeFile = None,
    out: Out = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    threads: Threads = None,
    storage: Storage = None,
    allow: Allow = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Train a network in full from several seeds. The test split is read once, at the end."""
    wanted = Pick(which, trial, min_accuracy)
    with ctrl_c_held():
        from neptune_nas.retrain.recipe_file import read_recipe
        from neptune_nas.retrain.run import Training

    training = Training(
        source_at(source, wanted, storage, allow),
        data=data,
        epochs=epochs,
        seeds=seeds,
        recipe=read_recipe(recipe) if recipe else None,
        out=out,
        data_dir=data_dir,
        device=device,
        threads=threads,
    )
    if dry_run:
        from neptune_nas.cli.trained import print_forecast

        print_forecast(training)
        return
    run(training, quiet)


def source_at(
    source: str, wanted: Pick, storage: str | None, allow: list[str] | None
) -> "ExportedArchitecture | str":
    """Return the network of SOURCE."""
    from neptune_nas.files.signatures import is_model_file
    from neptune_nas.models.architecture_file import load
    from neptune_nas.nn.references import REFERENCES, is_reference
    from neptune_nas.study.export import export_trial

    path = Path(source)
    if path.is_dir():
        study = study_at(path, storage, allow)
        return export_trial(study, wanted.of(study))
    wanted.refuse_for(source)
    if path.is_file() and is_model_file(path):
        return network_in(path, allow)
    if path.is_file() or path.suffix == ".json":
        return load(path, allowed(allow))
    if not is_reference(source):
        raise OptionError(
            f"{source} is not a file, a study's folder or a hand-designed network: "
            f"{one_of(REFERENCES, source)}"
        )
    return source


def network_in(path: Path, allow: list[str] | None) -> "ExportedArchitecture | str":
    """Return the network of a trained model."""
    from neptune_nas.models.architecture_file import ExportedArchitecture
    from neptune_nas.models.model import load_model

    network = load_model(path, allowed(allow)).of
    return network if isinstance(network, ExportedArchitecture) else network.name


def run(training: "Training", quiet: bool) -> None:
    """Train with a line per epoch, and print the results."""
    from neptune_nas.cli.progress import say
    from neptune_nas.cli.trained import print_metrics
    from neptune_nas.devices.memory import keep_pages
    from neptune_nas.retrain.run import epoch_line
    from neptune_nas.search.config import ignore

    keep_pages()
    was_done = training.is_done
    folder = training.folder.path
    with stoppable("trained", folder, lambda: any(folder.glob("seed-*/*"))):
        metrics = training.run(
            ignore
            if quiet
            else lambda step: print_line(epoch_line(step, training.task), stderr=True),
            ignore if quiet else say,
        )
    if not quiet:
        print_metrics(training, metrics, was_done)
