"""Why trials failed, as a text: each reason once, with its trials and where it arose."""

from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import plural, redact


def failures_text(study: Study) -> str:
    """The reasons in the order in which they first occurred; empty where no trial failed."""
    by_reason: dict[str, list[Trial]] = {}
    for trial in study.trials:
        if trial.failure is not None:
            by_reason.setdefault(trial.failure, []).append(trial)
    return redact("\n".join(paragraph(reason, trials) for reason, trials in by_reason.items()))


def paragraph(reason: str, trials: list[Trial]) -> str:
    """A reason with its trials, and the first traceback of theirs, if one was kept."""
    numbers = ", ".join(str(trial.number) for trial in trials)
    trace = next((trial.trace for trial in trials if trial.trace), "")
    return f"{plural(len(trials), 'trial')} {numbers}: {reason}\n{trace}"
