"""`neptune-nas diff`."""

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.pick import Pick
from neptune_nas.cli.source import Source, architecture_at
from neptune_nas.cli.study import Storage
from neptune_nas.cli.terminal import print_line
from neptune_nas.text import counted, plural

EXAMPLE = "Example: neptune-nas diff knee.json trained/knee/seed-0/model.safetensors"


def diff(one: Source, other: Source, storage: Storage = None, allow: Allow = None) -> None:
    """Print where the decisions, costs and scores of two architectures differ.

    From a study, the first of its ranking is compared.
    """
    from rich.table import Table

    from neptune_nas.cli.console import console
    from neptune_nas.models.comparison import facts_of

    found = [architecture_at(source, Pick(), storage, allow) for source in (one, other)]
    a, b = (facts_of(item) for _, item in found)
    every = dict.fromkeys([*a, *b])
    names = sorted(name for name in every if "." in name)  # decisions, by their paths
    names += [name for name in every if "." not in name]
    unlike = [name for name in names if a.get(name) != b.get(name)]
    table = Table()
    for heading in ("", str(one), str(other)):
        table.add_column(heading, overflow="fold")
    for name in unlike:
        table.add_row(name, a.get(name, "-"), b.get(name, "-"))
    if unlike:
        console().print(table)
    equal = len(names) - len(unlike)
    rest = f"{counted(equal, 'other value')} {plural(equal, 'is', 'are')} equal."
    print_line(rest if unlike else "All values are equal.")
