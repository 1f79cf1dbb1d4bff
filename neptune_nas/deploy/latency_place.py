"""The place where latency is measured: a runtime on this machine, or on one reached by SSH."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from neptune_nas.deploy.runtime_registry import RUNTIMES, Runtime
from neptune_nas.errors import OptionError, check_installed, one_of
from neptune_nas.files.schema import cut

TORCH = "torch"
"""The default: the network itself, not a file of it."""
ELSEWHERE = "elsewhere"
"""No place: latencies are those of a file with measurements, and what it predicts."""

PLACES: Mapping[str, Runtime] = {
    name: runtime for runtime in RUNTIMES.values() for name in runtime.places
}
"""The runtimes that latency is measured in, by the names that `latency_on` takes."""
_USUAL = "onnxruntime"
_FORM = re.compile(
    r"(?:(?P<runtime>[^:/@+]+)\+)?ssh://(?:(?P<user>[^@/]*)@)?"
    r"(?P<host>\[[^\]/@]*\]|[^:/@]*)(?::(?P<port>[^/]*))?(?P<program>/.*)?"
)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # of a user or a host, which ssh gets as it is
_ADDRESS = re.compile(r"\[[0-9A-Fa-f:.%a-z]+\]")  # of IPv6
_PATH = re.compile(r"/[A-Za-z0-9_./+-]+")  # which the shell there reads as one word


@dataclass(frozen=True, slots=True)
class Place:
    """A runtime on this machine; with a host, on that one.

    `program`: what runs a file there: a Python, or else a binary such as LiteRT's benchmark_model.
    """

    runtime: str
    user: str = ""
    host: str = ""
    port: int = 0
    program: str = "python3"

    def __str__(self) -> str:
        if not self.host:
            return f"{self.runtime} on this machine, processor time of one thread"
        at = f"{self.login}{f':{self.port}' if self.port else ''}"
        return f"{self.runtime} on {at}, one thread by the clock on the wall"

    @property
    def login(self) -> str:
        """The user and host, as ssh takes them."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def has_python(self) -> bool:
        """True if the program is a Python, which times a file by the toolkit's own script."""
        return self.program.rpartition("/")[2].startswith("python")


def place_in(text: str) -> Place | None:
    """Return the place that a text names; None for torch, and for measurements from elsewhere.

    Raises `OptionError` for an unknown runtime, and for a host that ssh must not be given.

    >>> place_in("litert+ssh://pi@raspberrypi.local:2222")
    Place(runtime='litert', user='pi', host='raspberrypi.local', port=2222, program='python3')
    """
    if text in (TORCH, ELSEWHERE):
        return None
    if "://" not in text:
        if text not in PLACES:
            known = (TORCH, *PLACES, "ssh://USER@HOST")
            raise OptionError(f"`latency_on` (--latency-on) is {cut(text)}: {one_of(known, text)}")
        return Place(text)
    match = _FORM.fullmatch(text)
    if match is None:
        raise _malformed(text)
    runtime, user, host, port, program = match.groups()
    if runtime is not None and runtime not in PLACES:
        raise OptionError(
            f"`latency_on` (--latency-on) has the runtime {cut(runtime)}: {one_of(PLACES, runtime)}"
        )
    is_safe = (
        (user is None or _NAME.fullmatch(user))
        and (_NAME.fullmatch(host) or _ADDRESS.fullmatch(host))
        and (port is None or (port.isdecimal() and port.isascii() and 0 < int(port) < 65536))
        and (program is None or _PATH.fullmatch(program))
    )
    if not is_safe:
        raise _malformed(text)
    return Place(
        runtime or _USUAL, user or "", host.strip("[]"), int(port or 0), program or "python3"
    )


def _malformed(text: str) -> OptionError:
    return OptionError(
        f"`latency_on` (--latency-on) must be a runtime or RUNTIME+ssh://USER@HOST:PORT/PROGRAM, "
        f"of which only ssh://HOST is needed, without a password, but got {cut(text)}."
    )


def check_runtime(place: Place) -> None:
    """Refuse a runtime on this machine that is not installed, or the writer of its files.

    The writer is needed here wherever the file runs.
    """
    found = PLACES[place.runtime]
    needed = found.writers if place.host else (*found.writers, found.library)
    check_installed(f"`latency_on` (--latency-on) {place.runtime}", needed, found.extra)
