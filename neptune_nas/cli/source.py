"""The network that a command is given: a trial of a study, an architecture, or a trained model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import allowed
from neptune_nas.cli.pick import Pick
from neptune_nas.cli.study import study_at
from neptune_nas.errors import OptionError

if TYPE_CHECKING:
    from neptune_nas.models.architecture_file import ExportedArchitecture
    from neptune_nas.models.model import Model

Source = Annotated[
    Path,
    typer.Argument(
        help="A study's folder, an exported architecture (.json) or a trained model "
        "(.safetensors).",
        metavar="SOURCE",
    ),
]


def network_at(
    source: Path, wanted: Pick, storage: str | None, allow: list[str] | None
) -> tuple[str, "ExportedArchitecture | Model"]:
    """Return the name and the content of SOURCE; `wanted`: which trial of a study."""
    from neptune_nas.deploy.formats import BY_SUFFIX, FORMATS
    from neptune_nas.files.signatures import is_model_file
    from neptune_nas.models.architecture_file import load
    from neptune_nas.models.model import load_model
    from neptune_nas.study.export import export_trial

    if source.is_dir():
        found = study_at(source, storage, allow)
        trial = wanted.of(found)
        return f"Trial {trial.number}", export_trial(found, trial)
    wanted.refuse_for(source)
    form = FORMATS[BY_SUFFIX.get(source.suffix.lower(), "json")]
    if form.precisions:
        raise OptionError(
            f"{source} is {form.name}, which is written but not read: name what it was exported "
            f"from, a study's folder, an architecture (.json) or a trained model (.safetensors)."
        )
    read = load_model if is_model_file(source) else load
    item = read(source, allowed(allow))
    return f"Network {item.key}", item


def architecture_of(
    item: "ExportedArchitecture | Model", source: Path, remedy: str
) -> "ExportedArchitecture":
    """Return the architecture of a network.

    `remedy`: ends the message on a hand-designed network, which has none.
    """
    from neptune_nas.models.architecture_file import ExportedArchitecture

    of = item if isinstance(item, ExportedArchitecture) else item.of
    if not isinstance(of, ExportedArchitecture):
        raise OptionError(
            f"{source} holds the reference network '{of.name}', which has no architecture{remedy}"
        )
    return of


def architecture_at(
    source: Path, wanted: Pick, storage: str | None, allow: list[str] | None
) -> tuple[str, "ExportedArchitecture"]:
    """Return the name of SOURCE and its architecture."""
    name, item = network_at(source, wanted, storage, allow)
    return name, architecture_of(item, source, ": name a network that a search found.")
