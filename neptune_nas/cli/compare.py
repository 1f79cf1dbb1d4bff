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
    """Compare studies in a table: sampler, best score, hypervolume over a common reference."""
    from rich.table import Table

    from neptune_nas.cli.console import console
    from neptune_nas.report.comparison import check_comparable, compare_studies

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
