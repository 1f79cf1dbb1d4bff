"""The command line: thin over the Python API, one file a command.

A command imports what it needs when it runs, so that `--help` and the `space` commands answer at
once; that is why imports stand inside the functions here, and nowhere else.
"""

import sys

from neptune_nas.errors import NeptuneError
from neptune_nas.interrupts import STOPPED, ctrl_c_held, make_impatient


def main() -> None:
    """Run the command line as a program of its own, which a second Ctrl-C ends at once."""
    make_impatient()
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def run() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    with ctrl_c_held():
        from neptune_nas.cli.app import app
    try:
        app(prog_name="neptune-nas")
    except NeptuneError as error:
        sys.exit(fail(error))


def fail(error: NeptuneError) -> int:
    """Print a mistake, and return the exit code that stands for one."""
    print(f"neptune-nas: {error}", file=sys.stderr)
    return 2
