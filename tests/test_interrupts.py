import os
import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Thread

import pytest

from neptune_nas.interrupts import ctrl_c_held, raise_held

pytestmark = pytest.mark.usefixtures("ctrl_c_raises")


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def interrupted(times: int, done: list[str]) -> None:
    """Ctrl-C so often, and then what must not be cut short goes on."""
    with ctrl_c_held():
        for _ in range(times):
            ctrl_c()
        done.append("whole")


def holding(*steps: Callable[[], object]) -> None:
    """One step after the other, with Ctrl-C held."""
    with ctrl_c_held():
        for step in steps:
            step()


@pytest.mark.parametrize(("times", "becomes"), [(1, ["whole"]), (2, [])])
def test_ctrl_c_waits_for_the_end_but_a_second_one_does_not(times: int, becomes: list[str]) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(times, done)
    assert done == becomes
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_that_is_held_is_raised_where_it_is_heeded() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        holding(
            raise_held, lambda: interrupted(1, done), raise_held, lambda: done.append("went on")
        )
    assert done == ["whole"]


def test_a_second_one_waits_for_the_end_of_what_began_after_the_first() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        holding(ctrl_c, lambda: interrupted(1, done), lambda: done.append("went on"))
    assert done == ["whole"]


def test_it_is_not_heeded_once_it_was_raised() -> None:
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        interrupted(1, [])
    holding(raise_held)


def test_what_a_handler_of_ones_own_raises_is_held_too() -> None:
    def leave(*_: object) -> None:
        raise LookupError("own")

    done: list[str] = []
    signal.signal(signal.SIGINT, leave)
    with pytest.raises(LookupError, match="own"):
        interrupted(1, done)
    assert done == ["whole"]


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


def test_another_thread_heeds_nothing() -> None:
    heeded: list[str] = []

    def go_on() -> None:
        raise_held()
        heeded.append("went on")

    thread = Thread(target=go_on)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        holding(ctrl_c, thread.start, thread.join)
    assert heeded == ["went on"]


PROGRAM = """
import signal
from neptune_nas.interrupts import ctrl_c_held, make_impatient, raise_held

signal.signal(signal.SIGINT, signal.{handler})
make_impatient()

class Dies:
    def __init__(self, does):
        self.does = does
    def __del__(self):
        self.does()

def ctrl_c():
    signal.raise_signal(signal.SIGINT)

{body}
"""


HEEDS = "default_int_handler"


def program(body: str, handler: str = HEEDS) -> tuple[int, str, str]:
    """Return the exit code of a program that is impatient, and what it printed."""
    script = PROGRAM.format(body=body, handler=handler)
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout, ran.stderr


ENDED = (130, "first\n", "Stopped at once; what was written before is kept.\n")


def test_a_second_ctrl_c_ends_a_program_at_once() -> None:
    assert (
        program("""
try:
    ctrl_c()
except KeyboardInterrupt:
    print("first", flush=True)
    try:
        ctrl_c()
    finally:
        print("went on", flush=True)
""")
        == ENDED
    )


def test_the_cursor_that_a_progress_bar_hides_is_there_again() -> None:
    ours, terminal = os.openpty()
    script = PROGRAM.format(body="with ctrl_c_held():\n    ctrl_c()\n    ctrl_c()", handler=HEEDS)
    subprocess.run([sys.executable, "-c", script], stderr=terminal, check=False)
    assert os.read(ours, 1000).startswith(b"\x1b[?25h")
    os.close(ours)
    os.close(terminal)


def test_it_does_so_where_the_first_is_held() -> None:
    assert (
        program("""
with ctrl_c_held():
    ctrl_c()
    print("first", flush=True)
    ctrl_c()
    print("went on", flush=True)
""")
        == ENDED
    )


def test_a_lost_ctrl_c_is_not_printed_and_is_heeded_later() -> None:
    assert program("""
Dies(ctrl_c)
print("lost")
try:
    with ctrl_c_held():
        raise_held()
        print("went on")
except KeyboardInterrupt:
    print("heeded")
""") == (0, "lost\nheeded\n", "")


def test_another_error_that_is_lost_is_printed_as_ever() -> None:
    code, _, errors = program("Dies(lambda: 1 / 0)")
    assert code == 0
    assert errors.startswith("Exception ignored in: <function Dies.__del__")
    assert errors.rstrip().endswith("ZeroDivisionError: division by zero")


def test_a_program_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    assert program("ctrl_c()\nctrl_c()\nraise_held()\nprint('went on')", "SIG_IGN") == (
        0,
        "went on\n",
        "",
    )


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_python_shuts_down_changes_no_exit_code(number: str) -> None:
    # Python has then restored the handlers of the system, which end a program.
    assert program(f"""
import os, sys
late = Dies(lambda kill=os.kill, me=os.getpid(): kill(me, {int(getattr(signal, number))}))
try:
    ctrl_c()
except KeyboardInterrupt:
    sys.exit(130)
""") == (130, "", "")
