"""An SSH server on 127.0.0.1 for this user, with keys of its own, where sshd is installed."""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def sshd() -> str | None:
    """Return the path of the server; None if it is missing."""
    return shutil.which("sshd", path=PLACES)


@contextmanager
def ssh_server(folder: Path) -> Iterator[str]:
    """Run a server inside the context, and yield its USER@HOST:PORT.

    The folder gets an `ssh` that logs in there, to be the first in the path.
    """
    program, ssh = sshd(), shutil.which("ssh")
    assert program, "sshd is not installed"
    assert ssh, "ssh is not installed"
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd of root changes into it
    settings = f"""Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
PasswordAuthentication no
PidFile none
"""
    (folder / "sshd_config").write_text(settings)
    key = (folder / "host.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}")
    options = f"-F none -i {folder}/user -o UserKnownHostsFile=${{KNOWN_HOSTS:-{folder}/known}}"
    wrapper = folder / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {ssh} {options} "$@"\n')
    wrapper.chmod(0o755)
    log = folder / "log"
    with subprocess.Popen([program, "-D", "-f", folder / "sshd_config", "-E", log]) as process:
        try:
            _wait_for(port, process, log)
            yield f"{getpass.getuser()}@127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(500):
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.01)
    raise AssertionError(log.read_text())
