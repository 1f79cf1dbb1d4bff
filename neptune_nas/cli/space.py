"""`neptune-nas space`: the content of a space, without any training."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from neptune_nas.cli.allow import Allow, allowed
from neptune_nas.cli.terminal import print_line
from neptune_nas.cli.values import check_known
from neptune_nas.text import plural

app = typer.Typer(help="Look at search spaces.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[
    str,
    typer.Argument(
        help="A name, a FILE.py, FILE.py:SPACE or package.module:SPACE.", metavar="SPACE"
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the random draw.")]


@app.command("list", epilog="Example: neptune-nas space list")
def list_() -> None:
    """List the spaces that come with the toolkit."""
    from neptune_nas.space import find_space, list_spaces

    width = max(map(len, list_spaces()))
    for name in list_spaces():
        space = find_space(name)
        print_line(f"{name:{width}}  {size_text(space):>10}  {space.description}")


@app.command(epilog="Example: neptune-nas space show default")
def show(name: Name) -> None:
    """Draw the tree of a space's choices."""
    from rich.tree import Tree

    from neptune_nas.cli.console import console
    from neptune_nas.space import find_space

    space = find_space(name)
    tree = Tree(f"{space.name}: {size_text(space)} {plural(space.count().value, 'architecture')}")
    grow(tree, {path: text for path, text in space.outline.items() if path})
    console().print(tree, soft_wrap=True)


COUNTED = (
    "Counts every architecture that the space describes. A search skips those that cannot be "
    "built for its images (`neptune-nas search --dry-run` estimates how many can), and tries equal "
    "ones once."
)


@app.command(epilog="Example: neptune-nas space size mnist")
def size(name: Name) -> None:
    """Count the architectures, exactly if possible."""
    from neptune_nas.space import find_space

    count = find_space(name).count()
    interval = (
        "" if count.is_exact else f" (estimated; 95% interval {count.low:,} to {count.high:,})"
    )
    print_line(f"{count.value:,}{interval}")
    print_line(COUNTED, stderr=True)


@app.command(epilog="Example: neptune-nas space sample default -n 5 --seed 0")
def sample(
    name: Name,
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 1,
    seed: Seed = 0,
    by: Annotated[
        str, typer.Option(help="Uniform over all architectures, or at each choice.")
    ] = "architecture",
) -> None:
    """Print random architectures, one JSON object per line."""
    import json
    from random import Random

    from neptune_nas.architecture.codec import to_json
    from neptune_nas.space import find_space

    check_known(by, "--by", ("architecture", "choice"))
    space, rng = find_space(name), Random(seed)
    for _ in range(n):
        print_line(json.dumps(to_json(space.sample(rng, by))))  # type: ignore[arg-type]  # checked above


@app.command(epilog="Example: neptune-nas space validate my_space.py --json best.json")
def validate(
    name: Name,
    json: Annotated[
        Path | None, typer.Option(help="An exported architecture that the space must hold.")
    ] = None,
    allow: Allow = None,
) -> None:
    """Check a sample of a space, or that the space has an architecture."""
    from neptune_nas.search.validation import check_membership, check_space

    if json is None:
        print_line(check_space(name))
    else:
        print_line(check_membership(name, json, allowed(allow)))


@app.command(epilog="Example: neptune-nas space neighbors default best.json")
def neighbors(
    name: Name,
    file: Annotated[Path, typer.Argument(help="An exported architecture.", metavar="FILE.json")],
    allow: Allow = None,
) -> None:
    """Print the picks of all architectures that are one edit away."""
    from neptune_nas.models.architecture_file import load
    from neptune_nas.space import find_space

    space = find_space(name)
    item = load(file, (*allowed([name]), *allowed(allow)))
    before = space.picks(item.architecture)
    for neighbor in space.neighbors(item.architecture):
        after = space.picks(neighbor)
        paths = dict.fromkeys([*before, *after])
        changes = (
            f"{p}: {before.get(p, '-')} -> {after.get(p, '-')}"
            for p in paths
            if before.get(p) != after.get(p)
        )
        print_line("; ".join(changes))


def size_text(space: Any) -> str:
    """Return a space's size in a few characters."""
    count = space.count()
    about = "" if count.is_exact else "~"
    return (
        f"{about}{count.value:,}" if count.value < 10**9 else f"{about}{Decimal(count.value):.2e}"
    )


def grow(tree: Any, outline: Mapping[str, str]) -> None:
    """Add the lines of an outline to a tree, each below its longest prefix."""
    branches = {"": tree}
    for path, text in outline.items():
        parent = max((p for p in branches if path.startswith(p) and p != path), key=len, default="")
        name = path.removeprefix(parent).lstrip(".")
        label = f"{name}: {text}"
        branches[path] = branches[parent].add(label)
