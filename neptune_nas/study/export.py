"""The step after a study: the export of a trial as an architecture, or the command to train it."""

from shlex import quote

from neptune_nas.errors import OptionError
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import redact


def next_command(study: Study, number: object) -> tuple[str, ...]:
    """Return the command that trains a trial, in parts that are quoted for a shell.

    It exports the trial where nothing was trained, as such a network may not be one to build, and
    where a notebook or script has its classes, which no command finds. `number`: of the trial, or
    what stands for it.
    """
    folder = quote(redact(str(study.folder)))
    if study.settings.question.trains and not study.settings.facts.code:
        return "neptune-nas", "train", folder, f"--trial {number}"
    return "neptune-nas", "export", folder, f"--trial {number}", f"-o trial-{number}.json"


def export_trial(study: Study, trial: Trial) -> ExportedArchitecture:
    """Return a trial's architecture with its costs, its scores and their origin.

    `build` makes it a network, `Training` trains it, `save` writes it. Raises `OptionError` for
    anything but a trial, such as the number of one.
    """
    if not isinstance(trial, Trial):
        raise OptionError(
            f"`trial` must be a Trial, such as study.best() or study.trials[0], but got {trial!r}."
        )
    settings = study.settings
    question, facts = settings.question, settings.facts
    return ExportedArchitecture(
        architecture=trial.architecture,
        input_shape=facts.input_shape,
        classes=facts.classes,
        costs=trial.values,
        scores=(*trial.scores, *trial.confirmations),
        recipe=question.recipe,
        provenance={
            "study": settings.name,
            "trial": trial.number,
            "space": question.space,
            "space_fingerprint": facts.space_fingerprint,
            "unit": question.unit,
            "data": question.data,
            "data_fingerprint": facts.data_fingerprint,
            "seed": question.seed,
            "created": facts.created,
            "hardware": facts.hardware,
            "versions": facts.versions,
            **({"start": facts.start} if facts.start else {}),
        },
    )
