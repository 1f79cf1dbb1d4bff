"""The commands by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Annotated, Any, get_args, get_origin

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
    evaluate,
    export,
    plot,
    predict,
    profile,
    reference,
    report,
    search,
    space,
    status,
    targets,
    train,
)
from neptune_nas.cli.terminal import print_line
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.files.schema import fault

_UsageError: Any = typer.BadParameter.__base__  # typer gives it no public name
_NUMBERS: dict[type, str] = {int: "a whole number", float: "a number"}


class _Commands(TyperGroup):
    """The commands; their usage errors quote at most one line of an argument."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command whose number options refuse other values with our own message."""
        command: Any = super().get_command(ctx, cmd_name)
        parameters = signature(command.callback).parameters if command and command.callback else {}
        for option in command.params if parameters else ():
            if option.name in parameters:
                _say_rule(option, parameters[option.name].annotation)
        return command

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Parse the options before the command."""
        with _shorten_usage_errors():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Parse the other arguments and run the command."""
        with _shorten_usage_errors():
            return super().invoke(ctx)


def _say_rule(option: Any, hint: Any) -> None:
    """Make an option of a number refuse other values with its rule and the value."""
    plain, *declared = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    kinds = get_args(plain) or (plain,)
    number = next((kind for kind in _NUMBERS if kind in kinds), None)
    if number is None or "process_value" in vars(option):
        return
    process, (short, *_) = option.process_value, option.opts
    name = next((each for each in option.opts if each.startswith("--")), short)

    def process_value(ctx: Any, value: Any) -> Any:
        try:
            return process(ctx, value)
        except _UsageError as error:
            if not (broken := _broken_rule(number, declared, value)):
                raise
            raise OptionError(fault(name, *broken)) from error

    option.process_value = process_value


def _broken_rule(number: type, declared: list[Any], value: Any) -> tuple[str, object] | None:
    """Return the words of the rule that a refused value breaks, and the value; None if unknown."""
    try:
        found = number(value)
    except (TypeError, ValueError):
        return _NUMBERS[number], value
    for option in declared:
        if option.min is not None and not found >= option.min:  # NaN too
            return f"at least {option.min}", found
        if option.max is not None and found > option.max:
            return f"at most {option.max}", found
    return None


@contextmanager
def _shorten_usage_errors() -> Iterator[None]:
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
app.command(epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command(epilog=export.EXAMPLE)(export.export)
app.command(epilog=draw.SHOW_EXAMPLE)(draw.show)
app.command(epilog=draw.DRAW_EXAMPLE)(draw.draw)
app.command(epilog=profile.EXAMPLE)(profile.profile)
app.command(epilog=diff.EXAMPLE)(diff.diff)
app.command(epilog=targets.EXAMPLE)(targets.targets)
app.add_typer(space.app, name="space", cls=_Commands)
