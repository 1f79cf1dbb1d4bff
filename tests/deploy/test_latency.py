"""The latency of a file here, and on a machine that SSH reaches."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from neptune_nas.deploy.latency import HostError, time_file, untrained_file
from neptune_nas.deploy.latency_place import Place, place_in
from tests.sshd import ssh_server, sshd

SHAPE = (3, 8, 8)
NETWORK = nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
)


@pytest.fixture(scope="module")
def file() -> bytes:
    return untrained_file(NETWORK, SHAPE, "litert")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the USER@HOST:PORT of a server, which the `ssh` in the path logs in to."""
    if not (sshd() and shutil.which("ssh")):
        pytest.skip("OpenSSH is not installed: sshd or ssh is missing")
    folder = tmp_path_factory.mktemp("ssh")
    with ssh_server(folder) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield found


def place(text: str) -> Place:
    found = place_in(text)
    assert found is not None
    return found


def no_wait(_: float) -> None:
    """Wait for nothing."""


@pytest.mark.parametrize("runtime", ["litert", "litert-int8"])
def test_a_file_is_timed_here(runtime: str) -> None:
    found = time_file(untrained_file(NETWORK, SHAPE, runtime), place(runtime))
    assert found.median > 0
    assert found.spread >= 0


def test_a_file_is_timed_by_a_python_over_ssh(file: bytes, address: str) -> None:
    there = place(f"litert+ssh://{address}{sys.executable}")
    assert time_file(file, there, no_wait).median > 0


def program(folder: Path, name: str, text: str) -> str:
    """Return the path of a new shell script."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def test_a_binary_over_ssh_gets_the_file_and_prints_microseconds(
    file: bytes, address: str, tmp_path: Path
) -> None:
    counting = 'echo "Inference (avg): $(wc -c < "${1#--graph=}")"'
    binary = program(tmp_path, "benchmark_model", counting)
    found = time_file(file, place(f"litert+ssh://{address}{binary}"), no_wait)
    assert found.median == len(file) / 1e3


@pytest.mark.parametrize("said", ["0", "1.2.3", "nan", "1e999"])
def test_a_binary_that_prints_no_time_is_refused(
    said: str, file: bytes, address: str, tmp_path: Path
) -> None:
    binary = program(
        tmp_path, "benchmark_model", f"cat > /dev/null; echo 'Inference (avg): {said}'"
    )
    with pytest.raises(HostError, match=r"did not print `Inference \(avg\): MICROSECONDS`"):
        time_file(file, place(f"litert+ssh://{address}{binary}"), no_wait)


@pytest.mark.parametrize(
    "said", ["[1]", '["missing"]', '{"times": [1, NaN]}', '{"times": [0, 0]}', '{"times": 5}']
)
def test_a_machine_that_answers_with_no_times_is_refused(
    said: str, file: bytes, address: str, tmp_path: Path
) -> None:
    liar = program(tmp_path, "python-liar", f"cat > /dev/null; echo '{said}'")
    with pytest.raises(HostError, match="did not answer with times, but with"):
        time_file(file, place(f"litert+ssh://{address}{liar}"), no_wait)


def test_an_answer_without_an_end_is_cut(file: bytes, address: str, tmp_path: Path) -> None:
    endless = program(tmp_path, "python-endless", "cat > /dev/null; yes")
    with pytest.raises(HostError, match="answered with more than 1,048,576 bytes"):
        time_file(file, place(f"litert+ssh://{address}{endless}"), no_wait)


def test_a_machine_without_the_program_is_told_to_name_another(file: bytes, address: str) -> None:
    with pytest.raises(HostError, match="has no /usr/bin/no-python3: name what it has"):
        time_file(file, place(f"litert+ssh://{address}/usr/bin/no-python3"), no_wait)


def test_a_machine_without_the_runtime_is_told_to_install_it(
    file: bytes, address: str, tmp_path: Path
) -> None:
    bare = program(tmp_path, "python-bare", f'exec {sys.executable} -I -S "$@"')
    with pytest.raises(HostError, match=r"No module named .*: install litert there"):
        time_file(file, place(f"litert+ssh://{address}{bare}"), no_wait)


def test_a_machine_whose_key_is_not_known_is_not_trusted(
    file: bytes, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOWN_HOSTS", "/dev/null")
    with pytest.raises(HostError, match=r"is not known, or has changed: run `ssh -p \d+ .*` once"):
        time_file(file, place(f"litert+ssh://{address}"), no_wait)


def test_a_user_without_a_key_there_is_told_to_copy_it(file: bytes, address: str) -> None:
    other = replace(place(f"litert+ssh://{address}"), user="nobody-here")
    with pytest.raises(HostError, match=r"refuses to log in without a password .*ssh-copy-id"):
        time_file(file, other, no_wait)


@pytest.mark.usefixtures("address")
def test_a_machine_that_is_away_is_asked_twice(file: bytes) -> None:
    waits: list[float] = []
    with pytest.raises(HostError, match=r"me@127\.0\.0\.1 cannot be reached \(.*refused\): see if"):
        time_file(file, place("litert+ssh://me@127.0.0.1:1"), waits.append)
    assert waits == [5.0]
