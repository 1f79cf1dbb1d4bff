"""All trials, the front and the ranking as tables for machines and for Markdown.

The columns are documented in `docs/files.md`.
"""

import pandas as pd

from neptune_nas.architecture.description import describe
from neptune_nas.errors import OptionError, one_of
from neptune_nas.redact import redact
from neptune_nas.report.checklist import MARKS, Check, checklist
from neptune_nas.report.hand_designed import HEADS, TITLE, against, caveat, cells
from neptune_nas.report.objectives import TITLES, others, value_text
from neptune_nas.study.front import contributions
from neptune_nas.study.measures import accuracy_per_gflop, efficiency, efficiency_unit
from neptune_nas.study.ranking import (
    BY_COST,
    Standing,
    accuracy_floor,
    formula,
    ranked_as,
)
from neptune_nas.study.study import Study
from neptune_nas.text import counted

FORMATS = ("csv", "md")
SHOWN = ("accuracy", "flops", "params")  # in every ranking as Markdown


def trials_csv(study: Study) -> str:
    """Every trial in the order they began."""
    return to_csv(study.to_dataframe())


def pareto_csv(study: Study) -> str:
    """The trials on the front, cheapest first, with the hypervolume that each alone adds."""
    return to_csv(pareto_table(study))


def ranking_text(
    study: Study, form: str, by: str | None = None, min_accuracy: float | None = None
) -> str:
    """The ranking as "csv" or "md"."""
    if form not in FORMATS:
        raise OptionError(f"format '{form}' is unknown: {one_of(FORMATS, form)}")
    if form == "md":
        return ranking_markdown(study, by, min_accuracy)
    return to_csv(ranking_table(study, by, min_accuracy))


def pareto_table(study: Study) -> pd.DataFrame:
    """One row a trial on the front, cheapest first."""
    front = study.pareto()
    frame = study.to_dataframe(front)
    frame.insert(1, "hypervolume", contributions(study.settings, study.ranked, front))
    return frame


def ranking_table(
    study: Study, by: str | None = None, min_accuracy: float | None = None
) -> pd.DataFrame:
    """One row a ranked trial, best first, with its place and tied group."""
    places = study.ranking(by, min_accuracy)
    frame = study.to_dataframe([standing.trial for standing in places])
    frame.insert(0, "place", [standing.place for standing in places])
    frame.insert(1, "value", [standing.value for standing in places])
    frame.insert(2, "tied_group", pd.Series([s.group for s in places], dtype="Int64"))
    return frame


def ranking_markdown(
    study: Study, by: str | None = None, min_accuracy: float | None = None, top: int = 20
) -> str:
    """The first `top` of a ranking as a Markdown table, between its formula and the checklist."""
    question = study.settings.question
    by = ranked_as(question, by)
    places = study.ranking(by, min_accuracy)
    own = [TITLES[name] for name in others(question, SHOWN)]
    always = ("FLOPs", "parameters", f"(acc. - chance)/{efficiency_unit(question)}", "acc./GFLOPs")
    lines = [
        f"# {escape_markdown(study.settings.name)}: ranking by {by}",
        "",
        f"`{formula(question, by)}`; the first {min(top, len(places))} of {len(places)}"
        f"{floor_text(study, by, min_accuracy)}.",
        "",
        markdown_line(("place", "trial", "accuracy", *own, *always, "architecture")),
        f"|{' ---: |' * (3 + len(own) + len(always))} --- |",
        *(markdown_row(study, standing) for standing in places[:top]),
        *hand_designed_lines(study),
        *trust_lines(study),
    ]
    return "\n".join(lines) + "\n"


def floor_text(study: Study, by: str, min_accuracy: float | None) -> str:
    """The accuracy below which a ranking leaves trials out; empty for one that leaves out none."""
    if by not in BY_COST:
        return ""
    why = "" if min_accuracy is not None else ", 5 points below the best"
    return f" with an accuracy of at least {accuracy_floor(study.ranked, min_accuracy):.4f}{why}"


def hand_designed_lines(study: Study) -> list[str]:
    """The comparison with hand-designed networks in Markdown; nothing without any."""
    if not study.references:
        return []
    head, *rows = map(markdown_line, (HEADS, *map(cells, against(study))))
    rule = f"| --- |{' ---: |' * (len(HEADS) - 1)}"
    return ["", f"## {TITLE}", "", caveat(study), "", head, rule, *rows]


def trust_lines(study: Study) -> list[str]:
    """The honest-evaluation checklist in Markdown."""
    return ["", "## Can it be trusted?", "", *map(check_line, checklist(study))]


def check_line(check: Check) -> str:
    """One claim of the checklist: whether it holds, and what shows it."""
    _, mark, word = MARKS[check.holds]
    claim, evidence = map(escape_markdown, (check.claim, redact(check.evidence)))
    return f"- {mark} **{claim}** ({word}): {evidence}"


def markdown_line(texts: tuple[str, ...]) -> str:
    """Texts as a line of a Markdown table, remarks behind a semicolon."""
    cells = (escape_markdown(text.replace("\n", "; ")) for text in texts)
    return f"| {' | '.join(cells)} |"


def markdown_row(study: Study, standing: Standing) -> str:
    """One line of the Markdown table."""
    trial = standing.trial
    cells = (
        str(standing.place),
        str(trial.number),
        accuracy_text(standing),
        *(value_text(name, trial) for name in others(study.settings.question, SHOWN)),
        value_text("flops", trial),
        value_text("params", trial),
        f"{efficiency(study.settings, trial):.4g}".replace("nan", "-"),
        f"{accuracy_per_gflop(trial):.4g}".replace("nan", "-"),
        escape_markdown(describe(trial.architecture)),
    )
    return f"| {' | '.join(cells)} |"


def accuracy_text(standing: Standing) -> str:
    """The accuracy, with its interval and seeds where they were repeated."""
    text = f"{standing.accuracy:.4f}"
    if standing.low is None or standing.high is None:
        return text
    return f"{text} [{standing.low:.4f}, {standing.high:.4f}] ({counted(standing.seeds, 'seed')})"


def escape_markdown(text: str) -> str:
    """`text` with nothing in it that Markdown, or HTML inside it, would act on."""
    for mark in "\\`*_[]|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("<", "&lt;").replace("\n", " ")


def to_csv(frame: pd.DataFrame) -> str:
    """Comma-separated values with a header; empty where there is nothing."""
    return frame.to_csv(index=False, lineterminator="\n")
