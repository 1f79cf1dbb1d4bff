"""The runtimes that a file is run on: LiteRT, TensorFlow Lite Micro, onnxruntime and ExecuTorch.

TensorFlow Lite Micro runs on this PC with its reference kernels; a board computes the same numbers.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from neptune_nas.deploy.runtime_registry import RUNTIMES
from neptune_nas.errors import NeptuneError, check_installed, first_line
from neptune_nas.models.export.facts import INPUT, OUTPUT

_ROOM = 2**26  # bytes that TensorFlow Lite Micro may take; what it takes is recorded
_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")


class Runner(Protocol):
    """A file that a runtime has opened."""

    def predict(self, images: Tensor) -> Tensor:
        """Return the logits `(N, classes)` in float32 for images `(N, C, H, W)` in 0..1."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """The meaning of the integers of an input or output; a step of 0: they are no integers."""

    step: float
    zero_point: int

    def integers(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return numbers as the file takes them."""
        if not self.step:
            return values.astype(np.float32)
        return (np.rint(values / self.step) + self.zero_point).clip(-128, 127).astype(np.int8)

    def numbers(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return what the file puts out as numbers."""
        found = values.astype(np.float32)
        return (found - self.zero_point) * self.step if self.step else found


class _LiteRT:
    """A `.tflite` file on LiteRT, on one thread."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_content=content, num_threads=1)
        self.interpreter.allocate_tensors()
        (self.input,) = self.interpreter.get_input_details()
        (self.output,) = self.interpreter.get_output_details()

    def predict(self, images: Tensor) -> Tensor:
        return _one_by_one(
            images,
            self._run,
            _Scale(*self.input["quantization"]),
            _Scale(*self.output["quantization"]),
        )

    def _run(self, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.interpreter.set_tensor(self.input["index"], image)
        self.interpreter.invoke()
        return np.asarray(self.interpreter.get_tensor(self.output["index"]))


class _TFLiteMicro:
    """A `.tflite` file on TensorFlow Lite Micro."""

    def __init__(self, content: bytes) -> None:
        from tflite_micro.python.tflite_micro import runtime

        self.interpreter = runtime.Interpreter.from_bytes(content, arena_size=_ROOM)

    def predict(self, images: Tensor) -> Tensor:
        details = self.interpreter.get_input_details(0), self.interpreter.get_output_details(0)
        return _one_by_one(images, self._run, *map(_micro_scale, details))

    def _run(self, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.interpreter.set_input(image, 0)
        self.interpreter.invoke()
        return np.asarray(self.interpreter.get_output(0))


class _OnnxRuntime:
    """An `.onnx` file on onnxruntime."""

    def __init__(self, content: bytes) -> None:
        from onnxruntime import InferenceSession

        self.session = InferenceSession(content, providers=["CPUExecutionProvider"])

    def predict(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self.session.run([OUTPUT], {INPUT: images.numpy()})[0])


class _ExecuTorch:
    """A `.pte` file on ExecuTorch."""

    def __init__(self, content: bytes) -> None:
        from executorch.runtime import Runtime

        self.method = Runtime.get().load_program(content).load_method("forward")

    def predict(self, images: Tensor) -> Tensor:
        return torch.cat(
            [self.method.execute([image])[0].clone() for image in torch.split(images, 1)]
        )


OPENERS: Mapping[str, Callable[[bytes], Runner]] = {
    "tflite-micro": _TFLiteMicro,
    "litert": _LiteRT,
    "onnxruntime": _OnnxRuntime,
    "executorch": _ExecuTorch,
}
"""The function or class that opens a file, by runtime."""


def check_runtime(runtime: str) -> None:
    """Refuse a runtime that is not installed, naming the extra that has it."""
    found = RUNTIMES[runtime]
    check_installed(f"the runtime {runtime}", (found.library,), found.extra)


def open_file(content: bytes, runtime: str) -> Runner:
    """Return a file, opened by one of `OPENERS`.

    Raises `NeptuneError` where the runtime is not installed, and for a file that it cannot open.
    """
    check_runtime(runtime)
    try:
        with _stderr():
            return OPENERS[runtime](content)
    except Exception as error:  # each runtime has its own kinds
        raise NeptuneError(
            f"the runtime {runtime} cannot open the file ({first_line(error)})."
        ) from error


def predict(runner: Runner, images: Tensor, runtime: str) -> Tensor:
    """Return the logits of a file; raises `NeptuneError` where the runtime cannot run it."""
    try:
        return runner.predict(images)
    except Exception as error:  # each runtime has its own kinds
        raise NeptuneError(
            f"the runtime {runtime} cannot run the file ({first_line(error)})."
        ) from error


def recorded_arena(content: bytes) -> int:
    """Return the bytes of RAM that TensorFlow Lite Micro takes for a `.tflite` file.

    They are recorded after one image, on a PC, where the runtime's own records take up to twice as
    much as on a 32-bit board.
    """
    micro = open_file(content, "tflite-micro")
    assert isinstance(micro, _TFLiteMicro)
    shape = micro.interpreter.get_input_details(0)["shape"]
    image = torch.zeros(tuple(int(shape[axis]) for axis in (0, 3, 1, 2)))
    predict(micro, image, "tflite-micro")
    with _stderr() as printed:
        micro.interpreter.print_allocations()
        printed.seek(0)
        found = _TOTAL.search(printed.read().decode(errors="replace"))
    if found is None:
        raise NeptuneError("tflite-micro recorded no allocation: install another version of it.")
    return int(found[1])


def _one_by_one(
    images: Tensor,
    run: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
    source: _Scale,
    target: _Scale,
) -> Tensor:
    """Return the logits of images, which a file takes one by one and channels last."""
    batch = source.integers(images.permute(0, 2, 3, 1).contiguous().numpy())
    with _stderr():
        found = [run(image[None]).copy() for image in batch]
    outputs = torch.from_numpy(target.numbers(np.concatenate(found)))
    return outputs.movedim(-1, 1)  # of maps; of vectors, this is no change


def _micro_scale(details: Mapping[str, Any]) -> _Scale:
    """Return the scale of an input or output."""
    found = details["quantization_parameters"]
    if details["dtype"] != np.int8:
        return _Scale(0.0, 0)
    return _Scale(float(found["scales"][0]), int(found["zero_points"][0]))


@contextmanager
def _stderr() -> Iterator[IO[bytes]]:
    """Keep what C libraries print on stderr off the terminal; yield the file that gets it."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                yield file
            finally:
                os.dup2(before, 2)
    finally:
        os.close(before)
