"""The command line: a thin layer over the Python API, one file per command.

A command imports what it needs when it runs, so that `--help` and the `space` commands answer at
once; this is why functions have imports here, and nowhere else.
"""

import errno
import gc
import sys
import traceback

from neptune_nas.cli.terminal import flush_output, print_line, safe_streams
from neptune_nas.errors import NeptuneError
from neptune_nas.interrupts import STOPPED, ctrl_c_held, make_impatient

_PATH_ERRORS = (errno.ENAMETOOLONG, errno.ELOOP)  # paths that the system refuses anywhere


def main() -> None:
    """Run the command line as the main program, which a second Ctrl-C ends at once."""
    make_impatient()
    # Modules and trials stay until the end: looking through them often takes 5% of a report.
    gc.set_threshold(20_000, 50)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except Exception:  # Python itself would print its message unescaped
        with safe_streams():
            traceback.print_exc()
        sys.exit(1)
    finally:
        gc.freeze()  # the interpreter's end looks through all that is left: up to a second


def run() -> None:
    """Run the command line; a user's mistake gives one sentence on stderr and exit code 2."""
    with safe_streams():
        try:
            with ctrl_c_held():
                from neptune_nas.cli.app import app
            try:
                app(prog_name="neptune-nas")
            finally:
                flush_output()
        except NeptuneError as error:
            sys.exit(fail(error))
        except OSError as error:
            if error.errno not in _PATH_ERRORS:
                raise
            why = f"cannot be used as a path ({error.strerror}): name another"
            sys.exit(fail(NeptuneError(f"{error.filename} {why}.")))


def fail(error: NeptuneError) -> int:
    """Print a user's mistake, and return its exit code."""
    print_line(f"neptune-nas: {error}", stderr=True)
    return 2
