"""The command line: a thin layer over the Python API, one file per command.

A command imports what it needs when it runs, so that `--help` and the `space` commands answer at
once; this is why functions have imports here, and nowhere else.
"""

import sys

from neptune_nas.errors import NeptuneError
from neptune_nas.interrupts import STOPPED, ctrl_c_held, make_impatient


def main() -> None:
    """Run the command line as the main program, which a second Ctrl-C ends at once."""
    make_impatient()
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def run() -> None:
    """Run the command line; a user's mistake gives one sentence on stderr and exit code 2."""
    with ctrl_c_held():
        from neptune_nas.cli.app import app
    try:
        app(prog_name="neptune-nas")
    except NeptuneError as error:
        sys.exit(fail(error))


def fail(error: NeptuneError) -> int:
    """Print a user's mistake, and return its exit code."""
    print(f"neptune-nas: {error}", file=sys.stderr)
    return 2
