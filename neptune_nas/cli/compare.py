"""`neptune-nas compare`."""

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.study import Force, Storage, Studies, study_at
from neptune_nas.cli.terminal import print_line

EXAMPLE = "Example: neptune-nas compare studies/a studies/b"


def compare(
    studies: Studies,
    force: Force = False,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Compare studies in a table, and say whether one is clearly better."""
    from rich.table import Table

    from neptune_nas.cli.console import console
    from neptune_nas.report.comparison import (
        check_comparable,
        compare_studies,
        verdicts,
        with_common_reference,
    )
    from neptune_nas.report.summary import corner_text

    results = [study_at(path, storage, allow) for path in studies]
    for sentence in check_comparable(results, force):
        print_line(f"Careful: {sentence}", stderr=True)
    table = Table(box=None, padding=(0, 1))
    for column in ("study", "sampler"):
        table.add_column(column, overflow="fold")
    best = f"best\n{results[0].settings.question.main.title}"
    for column in ("seed", "trials", "scored", best, "hypervolume", "worker\nseconds"):
        table.add_column(column, justify="right")
    for row in compare_studies(results, force):
        table.add_row(
            row.name,
            row.sampler,
            str(row.seed),
            str(row.trials),
            str(row.scored),
            f"{row.best_score:.4f}",
            f"{row.hypervolume:.4f}",
            f"{row.worker_seconds:.0f}",
        )
    console().print(table)
    question, *_ = (study.settings.question for study in results)
    corner = with_common_reference(results)[0].settings.facts.reference
    print_line(
        f"Hypervolume is the share of the box from {corner_text(question, corner)} that a front "
        f"dominates; these studies share that corner, so it may differ from a study's own."
    )
    names = [study.settings.name for study in results]
    labels = names if len({*names}) == len(names) else [*map(str, studies)]
    for sentence in verdicts(results, labels):
        print_line(sentence)
