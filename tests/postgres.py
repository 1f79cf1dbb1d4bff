"""A PostgreSQL server on 127.0.0.1, with a temporary data folder, where it is installed."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any
from uuid import uuid4

import psycopg

_PLACES = "/usr/lib/postgresql/*/bin"  # Debian's, which are not in the path
_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root
_QUICK = ("fsync=off", "synchronous_commit=off", "unix_socket_directories=", "log_timezone=UTC")


def binary(name: str) -> str | None:
    """Return the path of a binary of PostgreSQL, of the newest version; None if it is missing."""
    places = sorted(Path("/").glob(_PLACES.lstrip("/")), key=lambda place: len(str(place)))
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, reversed(places))])
    return shutil.which(name, path=path)


def _as_other_user(folder: Path) -> dict[str, Any]:
    """Return what `subprocess` needs to run as a user that is not root, who owns `folder` then."""
    if os.geteuid() != 0:
        return {}
    import pwd

    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next(known[name] for name in _USERS if name in known)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def server() -> Iterator[str]:
    """Run a server inside the context, and yield its URL, without a database."""
    initdb, postgres = binary("initdb"), binary("postgres")
    assert initdb, "PostgreSQL is not installed: no initdb"
    assert postgres, "PostgreSQL is not installed: no postgres"
    with TemporaryDirectory(prefix="postgres-", dir="/tmp") as folder:
        who, data, port = _as_other_user(Path(folder)), Path(folder, "data"), _free_port()
        options = ("--auth=trust", "--username=ada", "--encoding=UTF8", "--locale=C", "--no-sync")
        made = subprocess.run(
            [initdb, "-D", data, *options],
            **who,
            cwd=folder,
            check=False,
            text=True,
            capture_output=True,
        )
        assert made.returncode == 0, made.stderr
        settings = [part for each in _QUICK for part in ("-c", each)]
        command = [postgres, "-D", str(data), "-h", "127.0.0.1", "-p", str(port), *settings]
        with (
            Path(folder, "log").open("wb") as log,
            subprocess.Popen(command, **who, cwd=folder, stdout=log, stderr=log) as process,
        ):
            try:
                url = f"postgresql://ada@127.0.0.1:{port}"
                _wait_for(url, process)
                yield url
            finally:
                process.send_signal(signal.SIGINT)  # whatever is still connected
                process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            psycopg.connect(f"{url}/postgres").close()
        except psycopg.OperationalError:
            assert process.poll() is None, "PostgreSQL ended as it started"
            sleep(0.1)
        else:
            return


def new_database(url: str) -> str:
    """Return the URL of a new database on the server at `url`."""
    name = f"studies_{uuid4().hex}"
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{url}/{name}"
