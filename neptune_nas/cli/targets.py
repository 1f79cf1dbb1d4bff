"""`neptune-nas targets`: the devices that a search can aim at."""

import json
from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.cli.terminal import print_line, print_text
from neptune_nas.cli.values import check_known
from neptune_nas.text import json_visible

EXAMPLE = "Example: neptune-nas targets my_board.toml"
FORMATS = ("text", "json")


def targets(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files of your own boards, to show instead of the built-in ones.",
            metavar="[FILE.toml]...",
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """List the devices for `search --target`, with their memory and runtime."""
    check_known(form, "--format", FORMATS)
    from rich.table import Table

    from neptune_nas.cli.console import console
    from neptune_nas.deploy.targets import TARGETS, find_target
    from neptune_nas.files.schema import encode

    shown = [*map(find_target, files)] if files else [*TARGETS.values()]
    if form == "json":
        content = [
            {**encode(each), "limits": {limit.name: limit.limit for limit in each.limits}}
            for each in shown
        ]
        print_text(json_visible(json.dumps(content, indent=2, ensure_ascii=False)) + "\n")
        return
    table = Table(box=None, padding=(0, 1))
    for column in ("name", "runtime"):
        table.add_column(column, overflow="fold")
    memories = [metric.title for metric, _, _ in shown[0].memories]
    for column in (f"{title}\n{what}" for title in memories for what in ("total", "for networks")):
        table.add_column(column, justify="right")
    for each in shown:
        sizes = [
            text
            for metric, size, reserved in each.memories
            for text in ((metric.text(size), metric.text(size - reserved)) if size else ("-", "-"))
        ]
        table.add_row(each.name, each.runtime, *sizes)
    console().print(table)
    for each in shown:
        about = "; ".join(filter(None, (each.title, each.source)))
        print_line(f"{each.name}: {about or 'your own'}.")
    print_line(
        "A search limits networks to what the firmware leaves. Describe a board of your own in a "
        ".toml file with ram, flash, reserved_ram, reserved_flash and runtime."
    )
