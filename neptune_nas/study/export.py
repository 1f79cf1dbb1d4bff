"""Export of a trial as an architecture."""

from neptune_nas.errors import OptionError
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial


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
        },
    )
