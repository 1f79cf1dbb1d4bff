"""The terminal of tables and progress bars, which shows names and paths literally."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from neptune_nas.cli.terminal import print_line
from neptune_nas.interrupts import Terminated
from neptune_nas.metrics.score import Score
from neptune_nas.study.references import NO_NUMBER
from neptune_nas.text import redact, visible

Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]


class _Console(Console):
    """A console that shows markup and escape sequences in a text instead of obeying them."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text with unsafe characters made visible, so that its width is known."""
        return super().render_str(visible(text, keep="\n"), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of a renderable; unsafe characters become visible in a `Text` too."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else visible(segment.text, keep="\n")
            style = segment.style and segment.style.update_link(None)
            yield Segment(text, style, segment.control)


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text literally."""
    stream: Any = sys.stderr if stderr else sys.stdout
    return _Console(
        file=getattr(stream, "styled", stream),
        stderr=stderr,
        markup=False,
        emoji=False,
        highlight=False,
    )


def fail_unless_any(scores: Iterable[Score], what: str) -> None:
    """Exit with code 1 and the most frequent reason if there are scores and all have failed.

    `what`: what failed, as a noun.
    """
    reasons = Counter(None if s.ok else s.failure or NO_NUMBER for s in scores)
    if not reasons or None in reasons:
        return
    ((reason, _),) = reasons.most_common(1)
    print_line(
        f"neptune-nas: no {what} worked; most frequent reason: {redact(str(reason))}", stderr=True
    )
    raise typer.Exit(1)


@contextmanager
def stoppable(done: str, folder: Path, is_any: Callable[[], bool]) -> Iterator[None]:
    """Print where the results so far are, and how to go on, if Ctrl-C ends the block.

    `done`: the participle for the work, such as "measured". `is_any`: whether there are results.
    """
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        kept = f"; results so far are in {folder}" if is_any() else f" before anything was {done}"
        print_line(f"Stopped{kept}. The same command resumes.", stderr=True)
        raise
