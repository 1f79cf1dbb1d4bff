import signal
from collections.abc import Iterator
from threading import Thread

import pytest

from neptune_nas.interrupt import ctrl_c_held


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Whoever runs the suite in the background may have it ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted(times: int, done: list[str]) -> None:
    """Ctrl-C so often, and then what must not be cut short goes on."""
    with ctrl_c_held():
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        done.append("whole")


@pytest.mark.parametrize(("times", "becomes"), [(1, ["whole"]), (2, [])])
def test_ctrl_c_waits_for_the_end_but_a_second_one_does_not(times: int, becomes: list[str]) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(times, done)
    assert done == becomes
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError, match="own"), ctrl_c_held():
        raise ZeroDivisionError("own")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_and_an_ignored_ctrl_c_are_left_alone() -> None:
    seen: list[object] = []

    def look() -> None:
        with ctrl_c_held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = Thread(target=look)
    thread.start()
    thread.join()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    look()
    assert seen == [signal.default_int_handler, signal.SIG_IGN]
