"""The files that trials were exported to: what each measures beside what was promised."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from neptune_nas.deploy.exported_file import ExportedFile
from neptune_nas.metrics.registry import METRICS, Metric
from neptune_nas.report.references import PageTable
from neptune_nas.study.exports import Export
from neptune_nas.study.study import Study
from neptune_nas.text import counted, redact

TITLE = "Exported files"
CAVEAT = (
    "Each file was opened on its runtime when it was written. Promised is what was known of the "
    "network before: counted, or scored by the search or the training. Scores are over validation "
    "images. The RAM of TensorFlow Lite Micro was recorded on a PC; a board of 32 bits needs a "
    "little less, and a vendor's kernels need some of their own."
)


def export_tables(studies: Sequence[Study]) -> list[PageTable]:
    """Return the files of each study that has any, for the page."""
    return [
        PageTable(
            title=TITLE + (f": {study.settings.name}" if len(studies) > 1 else ""),
            caveat=CAVEAT,
            heads=export_heads(study),
            rows=tuple(export_rows(study)),
        )
        for study in studies
        if study.exports
    ]


def export_heads(study: Study) -> tuple[str, ...]:
    """Return the heads of a study's table of files."""
    titles = (f"{each.title}\npromised" for each in _metrics(study))
    return ("file", "trial", "runtime", *titles)


def export_rows(study: Study) -> Iterator[tuple[str, ...]]:
    """Yield the texts of each file, one for each of `export_heads`."""
    for each in study.exports:
        values = (_value(metric, each.file) for metric in _metrics(study))
        yield (redact(_name(each)), str(each.trial), each.file.runtime, *values)


def _metrics(study: Study) -> list[Metric]:
    """Return the metrics that any file has, in the order of the registry."""
    names = {name for each in study.exports for name in each.file.measured}
    return [metric for metric in METRICS if metric.name in names]


def _name(export: Export) -> str:
    """Return a file's name, and whether its network was trained."""
    untrained = "" if export.file.trained else ", untrained"
    return f"{Path(export.file.file).name} ({export.file.precision}{untrained})"


def _value(metric: Metric, file: ExportedFile) -> str:
    """Return what a file measures, and what was promised on a second line."""
    if metric.name not in file.measured:
        return "-"
    promised = file.promised.get(metric.name)
    images = f", {counted(file.images, 'image')}" if metric.is_scored else ""
    second = "not promised" if promised is None else metric.text(promised)
    return f"{metric.text(file.measured[metric.name])}\n{second}{images}"
