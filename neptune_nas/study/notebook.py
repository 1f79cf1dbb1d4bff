"""Progress in a notebook: a bar and a line of text below the cell that runs a slow call."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from time import monotonic
from types import TracebackType
from typing import Any, Self

from neptune_nas.text import visible

_EVERY = 0.2  # seconds between two updates, which a browser has to draw


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


@dataclass(slots=True)
class NotebookBar:
    """A watcher that shows progress in a cell's output while the context lasts.

    `line`: what it says at first. `read`: takes what the watcher is called with, and returns how
    many are done, of how many, and a line of text.
    """

    line: str
    read: Callable[[Any], tuple[int, int, str]]
    done: int = field(init=False, default=0)
    total: int = field(init=False, default=1)
    notes: list[str] = field(init=False, default_factory=list)
    _handle: Any = field(init=False, default=None)
    _drawn: float = field(init=False, default=0.0)

    def say(self, sentence: str) -> None:
        """Show a sentence above the bar."""
        self.notes.append(sentence)
        self._draw()

    def __call__(self, progress: Any) -> None:
        """Show `progress`, if the last update is not too recent."""
        self.done, self.total, self.line = self.read(progress)
        if monotonic() - self._drawn >= _EVERY:
            self._draw()

    def __enter__(self) -> Self:
        from IPython.display import display  # in a notebook it is there

        self._handle = display(self._content(), raw=True, display_id=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.line += "; stopped: run the same cell again to resume"
        self._draw()

    def _draw(self) -> None:
        self._drawn = monotonic()
        self._handle.update(self._content(), raw=True)

    def _content(self) -> dict[str, str]:
        """Return what is shown, by MIME type."""
        texts = [visible(text) for text in (*self.notes, self.line)]
        *notes, line = map(escape, texts)
        bar = f'<progress value="{self.done}" max="{max(self.total, 1)}"></progress> {line}'
        html = "".join(f"<div>{text}</div>" for text in (*notes, bar))
        return {"text/plain": "\n".join(texts), "text/html": html}
