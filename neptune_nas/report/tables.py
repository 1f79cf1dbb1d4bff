"""Tables of all trials, the front and the ranking, as CSV and Markdown.

The columns are documented in `docs/files.md`.
"""

import pandas as pd

from neptune_nas.architecture.description import describe
from neptune_nas.errors import OptionError, one_of
from neptune_nas.metrics.registry import COST, PARAMS
from neptune_nas.report import exports
from neptune_nas.report.checklist import MARKS, Check, checklist
from neptune_nas.report.exports import export_heads, export_rows
from neptune_nas.report.objectives import SHOWN, further_objectives, value_text
from neptune_nas.report.plain_comparison import BETWEEN_SEEDS
from neptune_nas.report.references import (
    TITLE,
    caveat,
    heads_of,
    reference_rows,
)
from neptune_nas.report.verdict import cautions, recommendation, verdict
from neptune_nas.study.front import contributions
from neptune_nas.study.measures import efficiency, efficiency_unit, score_per_gflop
from neptune_nas.study.ranking import (
    BY_COST,
    Standing,
    formula,
    ranking_name,
    score_floor,
)
from neptune_nas.study.study import Study
from neptune_nas.text import counted, csv_cell, redact, visible

_FORMATS = ("csv", "md")


def trials_csv(study: Study) -> str:
    """Return all trials as CSV, in the order in which they began."""
    return _to_csv(study.to_dataframe())


def pareto_csv(study: Study) -> str:
    """Return the front as CSV, cheapest first, with each trial's contribution to hypervolume."""
    return _to_csv(_pareto_table(study))


def ranking_text(
    study: Study, form: str, by: str | None = None, min_accuracy: float | None = None
) -> str:
    """Return the ranking as "csv" or "md"."""
    if form not in _FORMATS:
        raise OptionError(f"format '{form}' is unknown: {one_of(_FORMATS, form)}")
    if form == "md":
        return ranking_markdown(study, by, min_accuracy)
    return _to_csv(_ranking_table(study, by, min_accuracy))


def _pareto_table(study: Study) -> pd.DataFrame:
    """Return one row per trial on the front, cheapest first."""
    front = study.pareto()
    frame = study.to_dataframe(front)
    frame.insert(1, "hypervolume", contributions(study.settings, study.ranked, front))
    return frame


def _ranking_table(
    study: Study, by: str | None = None, min_accuracy: float | None = None
) -> pd.DataFrame:
    """Return one row per ranked trial, best first, with its place and tied group."""
    places = study.ranking(by, min_accuracy)
    frame = study.to_dataframe([standing.trial for standing in places])
    frame.insert(0, "place", [standing.place for standing in places])
    frame.insert(1, "value", [standing.value for standing in places])
    frame.insert(2, "tied_group", pd.Series([s.group for s in places], dtype="Int64"))
    return frame


def ranking_markdown(
    study: Study, by: str | None = None, min_accuracy: float | None = None, top: int = 20
) -> str:
    """Return the first `top` trials of a ranking as Markdown, with its formula and checklist."""
    question = study.settings.question
    by = ranking_name(question, by)
    places = study.ranking(by, min_accuracy)
    own = [aim.title for aim in further_objectives(question, SHOWN)]
    unit = efficiency_unit(question)
    main = question.main.title
    brackets = f" [{BETWEEN_SEEDS}]" if any(each.low is not None for each in places[:top]) else ""
    always = (COST.title, PARAMS.title, f"({main} - chance)/{unit}", f"{main}/GFLOPs")
    lines = [
        f"# {escape_markdown(study.settings.name)}: ranking by {by}",
        "",
        *_verdict_lines(study),
        f"`{formula(question, by)}`; the first {min(top, len(places))} of {len(places)}"
        f"{floor_text(study, by, min_accuracy)}.",
        "",
        _markdown_line(("place", "trial", f"{main}{brackets}", *own, *always, "architecture")),
        f"|{' ---: |' * (3 + len(own) + len(always))} --- |",
        *(_markdown_row(study, standing) for standing in places[:top]),
        *_reference_lines(study),
        *_export_lines(study),
        *_trust_lines(study),
    ]
    return "\n".join(lines) + "\n"


def _verdict_lines(study: Study) -> list[str]:
    """Return what a user should know first, and what was chosen for them, a paragraph each."""
    found = (*cautions(study), recommendation(study), verdict(study), *study.settings.facts.choices)
    return [line for text in found if text for line in (_escaped(redact(text)), "")]


def _escaped(text: str) -> str:
    """Return a paragraph as Markdown, whose code between backticks stays as it is."""
    parts = text.split("`")
    return "`".join(part if i % 2 else escape_markdown(part) for i, part in enumerate(parts))


def floor_text(study: Study, by: str, min_accuracy: float | None) -> str:
    """Return the least accuracy that a ranking admits, as text; empty without one."""
    if by not in BY_COST:
        return ""
    main = study.settings.question.main.title
    if min_accuracy is not None:
        return f" with {main} of at least {min_accuracy:.4f}"
    floor = score_floor(study.settings, study.ranked)
    return f" with {main} of at least {floor.value:.4f}, {floor.why}"


def _reference_lines(study: Study) -> list[str]:
    """Return the comparison with hand-designed networks in Markdown; empty without any."""
    if not study.references:
        return []
    head, *rows = map(_markdown_line, (heads_of(study), *reference_rows(study)))
    rule = f"| --- |{' ---: |' * (len(heads_of(study)) - 1)}"
    return ["", f"## {TITLE}", "", caveat(study), "", head, rule, *rows]


def _export_lines(study: Study) -> list[str]:
    """Return the exported files in Markdown, each beside what was promised; empty without any."""
    if not study.exports:
        return []
    heads = export_heads(study)
    head, *rows = map(_markdown_line, (heads, *export_rows(study)))
    rule = f"| --- |{' ---: |' * (len(heads) - 1)}"
    return ["", f"## {exports.TITLE}", "", exports.CAVEAT, "", head, rule, *rows]


def _trust_lines(study: Study) -> list[str]:
    """Return the honest-evaluation checklist in Markdown."""
    return ["", "## Can it be trusted?", "", *map(_check_line, checklist(study))]


def _check_line(check: Check) -> str:
    """Return one claim of the checklist as a line: whether it holds, and the evidence."""
    _, mark, word = MARKS[check.holds]
    claim, evidence = map(escape_markdown, (check.claim, redact(check.evidence)))
    return f"- {mark} **{claim}** ({word}): {evidence}"


def _markdown_line(texts: tuple[str, ...]) -> str:
    """Return texts as a line of a Markdown table, with remarks after a semicolon."""
    cells = (escape_markdown(text.replace("\n", "; ")) for text in texts)
    return f"| {' | '.join(cells)} |"


def _markdown_row(study: Study, standing: Standing) -> str:
    """Return one line of the Markdown table."""
    trial = standing.trial
    cells = (
        str(standing.place),
        str(trial.number),
        _accuracy_text(standing),
        *(value_text(aim, trial) for aim in further_objectives(study.settings.question, SHOWN)),
        value_text(COST, trial),
        value_text(PARAMS, trial),
        f"{efficiency(study.settings, trial):.4g}".replace("nan", "-"),
        f"{score_per_gflop(trial):.4g}".replace("nan", "-"),
        escape_markdown(describe(trial.architecture)),
    )
    return f"| {' | '.join(cells)} |"


def _accuracy_text(standing: Standing) -> str:
    """Return the accuracy, with its interval and seeds where they were repeated."""
    text = f"{standing.score:.4f}"
    if standing.low is None or standing.high is None:
        return text
    return f"{text} [{standing.low:.4f}, {standing.high:.4f}] ({counted(standing.seeds, 'seed')})"


def escape_markdown(text: str) -> str:
    """Return `text` with the special characters of Markdown and HTML escaped."""
    text = visible(text.replace("\n", " "))
    for mark in "\\`*_[]|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _to_csv(frame: pd.DataFrame) -> str:
    """Return comma-separated values with a header; empty where there is nothing."""
    texts = frame.select_dtypes(include=["object", "string"])
    # with a dtype, or pandas makes floats of whole numbers beside empty cells
    cells = {
        str(name): pd.Series([*map(csv_cell, texts[name])], texts.index, dtype=object)
        for name in texts
    }
    return frame.assign(**cells).rename(columns=csv_cell).to_csv(index=False, lineterminator="\n")
