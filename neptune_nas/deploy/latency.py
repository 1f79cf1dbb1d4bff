"""The latency of a network's file in a place: on this machine, or on one reached by SSH."""

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from inspect import getsource
from math import isfinite
from statistics import median, quantiles
from tempfile import TemporaryFile
from typing import IO, Any

import torch
from torch import nn

from neptune_nas.deploy import latency_runner
from neptune_nas.deploy.latency_place import PLACES, Place
from neptune_nas.deploy.onnx_graph import onnx_file
from neptune_nas.deploy.quantisation import quantise
from neptune_nas.deploy.tflite import float_file, int8_file
from neptune_nas.errors import NeptuneError, one_line
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.lowering import lower
from neptune_nas.models.export.onnx import serialise
from neptune_nas.models.export.pt2 import trace
from neptune_nas.models.model import Model
from neptune_nas.nn.builder import Shape
from neptune_nas.nn.classifier import Classifier

ROUNDS, REPEATS = 3, 20
_REST, _COOL = 0.3, 0.5  # seconds before each round on another machine, and after each file there
_PATIENCE = 120.0  # seconds for one file
_MOST = 2**20  # bytes of an answer
_AGAIN = 5.0  # seconds before the retry
_SSH_FAILED, _NO_COMMAND = 255, 127  # exit codes of ssh and of shells
_SSH = (
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=15"),  # asks no questions
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
    *("-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "ClearAllForwardings=yes"),
)
_AVERAGE = re.compile(r"Inference \(avg\): ([0-9.]+(?:e[+-]?[0-9]+)?)")  # us, by benchmark_model


class HostError(NeptuneError):
    """A machine that cannot measure latency, or does not answer."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The time of one image through a file: the median and the interquartile range, in ms."""

    median: float
    spread: float


def untrained_file(network: nn.Module, input_shape: Shape, runtime: str) -> bytes:
    """Return the file of a network for a runtime, with normalisation; it serves to be timed.

    Raises `UnsupportedOperationError` for a network that the runtime cannot run.
    """
    channels = input_shape[0]
    classifier = Classifier(network, [0.5] * channels, [0.25] * channels).eval()
    classifier.requires_grad_(False)
    if runtime == "onnxruntime":
        return onnx_file(classifier, input_shape)
    images = torch.rand(1, *input_shape)
    graph = fuse(lower(classifier, images))
    if runtime == "litert":
        return float_file(graph)
    return int8_file(quantise(graph, [images]), lean=False)  # LiteRT's fast kernels read the rest


def delivered_file(model: Model, runtime: str) -> bytes:
    """Return the file of a model as `neptune-nas export` writes it."""
    if runtime == "onnxruntime":
        return serialise(model, trace(model))
    return untrained_file(model.network(), model.input_shape, runtime)


def time_file(content: bytes, place: Place, wait: Callable[[float], None] = time.sleep) -> Timing:
    """Return the time of a file in a place.

    Raises `HostError` for a machine that does not answer twice, and for one that cannot run it.
    """
    if not place.host:
        run = latency_runner.session(content, place.runtime)
        return _timing(latency_runner.passes(run, ROUNDS, REPEATS, 0.0, time.thread_time))
    try:
        found = _time_there(content, place)
    except _GoneError:
        wait(_AGAIN)
        found = _time_there(content, place)
    wait(_COOL)
    return found


def _timing(times: list[float]) -> Timing:
    low, _, high = quantiles(times, n=4)
    return Timing(median(times), high - low)


def _time(value: Any) -> float:
    """Return a time in ms that another machine states; raises `ValueError` for what is none."""
    time_ = float(value)
    if not (isfinite(time_) and time_ > 0):
        raise ValueError
    return time_


class _GoneError(HostError):
    """A machine that ssh does not reach, or that stopped answering."""


def _time_there(content: bytes, place: Place) -> Timing:
    if not place.has_python:
        return _time_with_binary(content, place)
    asked: dict[str, Any] = {"runtime": PLACES[place.runtime].name, "rest": _REST}
    asked |= {"rounds": ROUNDS, "repeats": REPEATS}
    asked["content"] = base64.b64encode(content).decode()
    script = latency_runner.source(asked, getsource(latency_runner)).encode()
    lines = _run_there(place, f"{place.program} -", script).splitlines()
    try:
        found: dict[str, Any] = dict(json.loads(lines[-1]))
        if "missing" not in found:
            return _timing([_time(each) for each in found["times"]])
    except (IndexError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        text = one_line(lines[-1] if lines else "nothing")
        raise HostError(f"{place.login} did not answer with times, but with: {text}.") from error
    why = one_line(str(found["missing"]))
    raise HostError(
        f"{place.program} on {place.login} cannot run the file ({why}): "
        f"install {PLACES[place.runtime].name} there, or name another Python, as in "
        f"ssh://{place.login}/home/me/venv/bin/python."
    )


def _time_with_binary(content: bytes, place: Place) -> Timing:
    """Return what a binary with the options of LiteRT's benchmark_model prints."""
    command = (
        f'f=$(mktemp) && trap \'rm -f "$f"\' EXIT && cat > "$f" && '
        f'{place.program} --graph="$f" --num_threads=1 --num_runs={ROUNDS * REPEATS} 2>&1'
    )
    text = _run_there(place, command, content)
    found = _AVERAGE.search(text)
    try:
        return Timing(_time(found and found[1]) / 1e3, 0.0)
    except (TypeError, ValueError) as error:  # no number at all, or no time
        raise HostError(
            f"{place.program} on {place.login} did not print `Inference (avg): MICROSECONDS`, as "
            f"LiteRT's benchmark_model does, but: {one_line(text[-200:])}."
        ) from error


def _run_there(place: Place, command: str, data: bytes) -> str:
    """Run a command on another machine with some input, and return what it prints."""
    port = ("-p", str(place.port)) if place.port else ()
    try:
        done = _run_bounded(["ssh", *_SSH, *port, place.login, command], data)
    except FileNotFoundError as error:
        raise HostError(
            "measuring on another machine needs ssh, which is not installed."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise _GoneError(
            f"{place.login} did not answer within {_PATIENCE:g} seconds; see if it is well, then "
            f"run the same command again."
        ) from error
    if len(done.stdout) > _MOST or len(done.stderr) > _MOST:
        raise HostError(
            f"{place.login} answered with more than {_MOST:,} bytes, which no times are."
        )
    why = one_line(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    if done.returncode == _SSH_FAILED:
        raise _unreachable(place, why)
    if done.returncode == _NO_COMMAND:
        raise HostError(
            f"{place.login} has no {place.program}: name what it has, as in "
            f"ssh://{place.login}/usr/bin/python3."
        )
    if done.returncode:
        raise HostError(f"{place.program} on {place.login} failed: {why or done.returncode}.")
    return done.stdout.decode(errors="replace")


def _run_bounded(command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run a command, which is killed if it takes too long, or prints more than `_MOST` bytes."""
    with TemporaryFile() as source, ThreadPoolExecutor(2) as threads:
        source.write(data)
        source.seek(0)
        with subprocess.Popen(
            command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:

            def read(pipe: IO[bytes] | None) -> bytes:
                found = b"" if pipe is None else pipe.read(_MOST + 1)
                if len(found) > _MOST:
                    process.kill()
                return found

            texts = [threads.submit(read, pipe) for pipe in (process.stdout, process.stderr)]
            try:
                code = process.wait(_PATIENCE)
            except BaseException:
                process.kill()
                raise
            out, errors = (each.result() for each in texts)
            return subprocess.CompletedProcess(command, code, out, errors)


def _unreachable(place: Place, why: str) -> HostError:
    login = f"ssh {f'-p {place.port} ' if place.port else ''}{place.login}"
    if "verification failed" in why:
        return HostError(
            f"the key of host {place.host} is not known, or has changed: run `{login}` once, "
            f"compare the key, and accept it."
        )
    if "Permission denied" in why:
        return HostError(
            f"{place.login} refuses to log in without a password ({why}): put your public key "
            f"there, as with `ssh-copy-id`, until `{login}` asks for nothing."
        )
    return _GoneError(
        f"{place.login} cannot be reached ({why or 'the connection was lost'}): see if `{login}` "
        f"works, then run the same command again."
    )
