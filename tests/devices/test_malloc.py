import ctypes
import sys

import pytest

from neptune_nas.devices.malloc import keep_pages


class Library:
    """A C library whose `mallopt`, if it has one, answers `answer`."""

    def __init__(self, answer: int | None) -> None:
        if answer is not None:
            self.mallopt = lambda *_: answer


@pytest.mark.parametrize(("answer", "kept"), [(1, True), (0, False), (None, False)])
def test_it_says_whether_the_c_library_took_the_setting(
    monkeypatch: pytest.MonkeyPatch, answer: int | None, kept: bool
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library(answer))
    assert keep_pages() is kept


def test_nothing_is_tried_on_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(ctypes, "CDLL")
    assert not keep_pages()
