"""The options of the commands that read a study, or measure more for it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from neptune_nas.cli.allow import allowed
from neptune_nas.cli.values import json_object
from neptune_nas.errors import NeptuneError, OptionError

if TYPE_CHECKING:
    from neptune_nas.evaluators.evaluator import Evaluator
    from neptune_nas.study.folder import Folder
    from neptune_nas.study.study import Study

STORAGE = "NEPTUNE_STORAGE"  # the environment variable with the URL of a database

StudyFolder = Annotated[Path, typer.Argument(help="The study's folder.", metavar="STUDY")]
Studies = Annotated[list[Path], typer.Argument(help="Study folders.", metavar="STUDY...")]
Storage = Annotated[
    str | None,
    typer.Option(
        help="The database of a study that names one, with its password.",
        metavar="URL",
        envvar=STORAGE,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Compare studies even if their data or recipes differ.")
]
SpaceFile = Annotated[
    str | None,
    typer.Option(
        "--allow",
        help="Where the study's space is now: a FILE.py, FILE.py:SPACE or package.module:SPACE.",
        metavar="FILE",
    ),
]
Jobs = Annotated[
    int | None, typer.Option("-j", "--jobs", help="Evaluations at once (default: one per core).")
]
EngineName = Annotated[
    Literal["local", "ray"],
    typer.Option(
        "--engine",
        help="local: processes of this machine; ray: the cluster at RAY_ADDRESS.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(help="Threads of each evaluation (default: its share of the cores)."),
]
Gpus = Annotated[
    str | None, typer.Option(help="GPUs to spread evaluations over, by number: 0, or 0,1 for two.")
]
TrialsPerGpu = Annotated[
    int | None,
    typer.Option(help="Evaluations at once on each GPU (default: 1)."),
]
EvaluatorClass = Annotated[
    str | None,
    typer.Option(
        "--evaluator",
        help="Your own class that measures instead of short training, as FILE.py:Class or "
        "module:Class.",
        metavar="CLASS",
    ),
]
EvaluatorKwargs = Annotated[
    str | None, typer.Option(help="Arguments of the evaluator as a JSON object.", metavar="JSON")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda (a GPU).")]
DataDir = Annotated[
    str | None,
    typer.Option(
        help="The folder where data sets are found or downloaded (default: neptune-nas below "
        "$XDG_CACHE_HOME or ~/.cache).",
        metavar="DIR",
    ),
]


def evaluator_of(where: str | None, arguments: str | None) -> "Evaluator | None":
    """Return the evaluator requested by `--evaluator` and `--evaluator-kwargs`."""
    from neptune_nas.evaluators.user_evaluator import make_evaluator

    options = json_object(arguments, "--evaluator-kwargs")
    if where is None:
        if arguments is not None:
            raise OptionError(
                "--evaluator-kwargs needs --evaluator: name the class that takes them."
            )
        return None
    return make_evaluator(where, options)


def study_at(study: Path, storage: str | None, allow: list[str] | None) -> "Study":
    """Return a study; `storage` is used only if it names a database.

    Without `allow`, only the records of the study's space are allowed.
    """
    from neptune_nas.study.read import read_study

    return read_study(study, storage_of(study, storage), allowed(allow) if allow else None)


def storage_of(study: Path, storage: str | None) -> str | None:
    """Return `storage` if the study names a database; None if its database is in its folder."""
    from neptune_nas.study.folder import open_folder, read_settings

    return storage if read_settings(open_folder(study).settings).storage else None


def storage_from_environment(folder: "Folder") -> str | None:
    """Return the URL in the environment; None for a study that already has its own database."""
    url = os.environ.get(STORAGE) or None
    return storage_of(folder.path, url) if folder.exists else url


def is_scored(folder: Path, storage: str | None) -> bool:
    """Return whether a folder has a study with any scored network."""
    from neptune_nas.study.read import read_study

    try:
        return any(trial.scores for trial in read_study(folder, storage, allow=()).trials)
    except NeptuneError:
        return False
