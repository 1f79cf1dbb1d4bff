"""The commands by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

import neptune_nas
from neptune_nas.cli import (
    audit,
    baseline,
    compare,
    confirm,
    diff,
    draw,
    export,
    plot,
    predict,
    profile,
    reference,
    report,
    search,
    space,
    status,
    train,
)
from neptune_nas.cli.terminal import print_line
from neptune_nas.errors import NeptuneError

_UsageError: Any = typer.BadParameter.__base__  # typer gives it no public name


class _Commands(TyperGroup):
    """The commands; their usage errors quote at most one line of an argument."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Parse the options before the command."""
        with _shortened():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Parse the other arguments and run the command."""
        with _shortened():
            return super().invoke(ctx)


@contextmanager
def _shortened() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        error.message = str(NeptuneError(error.message))
        raise


app = typer.Typer(
    cls=_Commands,
    help="Search for the image network with the most accuracy per FLOP.",
    epilog="Begin with: neptune-nas search --space default --trials 200",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def show_version(asked: bool) -> None:
    """Print the version and stop."""
    if asked:
        print_line(f"neptune-nas {neptune_nas.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=show_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Search for the image network with the most accuracy per FLOP."""


app.command(epilog=search.EXAMPLE)(search.search)
app.command(epilog=status.STATUS_EXAMPLE)(status.status)
app.command(epilog=status.WATCH_EXAMPLE)(status.watch)
app.command(epilog=report.EXAMPLE)(report.report)
app.command(epilog=confirm.EXAMPLE)(confirm.confirm)
app.command(epilog=audit.EXAMPLE)(audit.audit)
app.command(epilog=baseline.EXAMPLE)(baseline.baseline)
app.command(epilog=reference.EXAMPLE)(reference.reference)
app.command(epilog=compare.EXAMPLE)(compare.compare)
app.command(epilog=plot.EXAMPLE)(plot.plot)
app.command(epilog=train.EXAMPLE)(train.train)
app.command(epilog=predict.EXAMPLE)(predict.predict)
app.command(epilog=export.EXAMPLE)(export.export)
app.command(epilog=draw.SHOW_EXAMPLE)(draw.show)
app.command(epilog=draw.DRAW_EXAMPLE)(draw.draw)
app.command(epilog=profile.EXAMPLE)(profile.profile)
app.command(epilog=diff.EXAMPLE)(diff.diff)
app.add_typer(space.app, name="space")
