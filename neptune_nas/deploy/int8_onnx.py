"""A model as an ONNX file in int8, quantised by onnxruntime: static, QDQ, weights by channel."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torch import Tensor

from neptune_nas.errors import check_installed
from neptune_nas.models.export.facts import INPUT
from neptune_nas.models.export.onnx import to_onnx
from neptune_nas.models.export.pt2 import refusal, silence
from neptune_nas.models.model import Model


def to_int8_onnx(model: Model, batches: Iterable[Tensor]) -> bytes:
    """Return the file's content, which takes and gives what the float file does.

    `batches`: images `(N, C, H, W)` in 0..1 that the ranges of maps are measured on. Raises
    `NeptuneError` without the libraries, and for a network that onnxruntime cannot quantise.
    """
    check_installed("the format onnx in int8", ("onnx", "onnxruntime"), "onnx")
    content = to_onnx(model)
    with TemporaryDirectory() as folder:
        try:
            return _quantised(content, batches, Path(folder))
        except Exception as error:  # its kind depends on what in the network is at fault
            raise refusal(model, "quantised", error) from error


def _quantised(content: bytes, batches: Iterable[Tensor], folder: Path) -> bytes:
    """Return a file in int8; the quantiser reads and writes files, in an empty folder."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
        """The calibration images, in the form that the quantiser asks for."""

        def __init__(self) -> None:
            self.rest: Iterator[Tensor] = iter(batches)

        def get_next(self) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] | None:
            """Return the next batch; None behind the last."""
            batch = next(self.rest, None)
            return None if batch is None else {INPUT: batch.numpy()}

    plain, folded, int8 = (folder / f"{name}.onnx" for name in ("plain", "folded", "int8"))
    plain.write_bytes(content)
    with silence():
        quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(int8),
            Images(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
    return int8.read_bytes()
