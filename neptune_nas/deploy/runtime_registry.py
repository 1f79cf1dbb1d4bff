"""The runtimes that run networks on devices: one literal table of what each is and needs.

The code that opens their files is in `deploy.runtimes`, which needs numpy and torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime, with the library that runs its files here and the extra that installs that.

    `writers`: the libraries that write its files. `timed`: the precisions of the files whose
    latency is measured in it. `is_target`: whether it may be the runtime of a device. `is_micro`:
    whether it is for microcontrollers, where networks run in int8 and memory is limited.
    `is_lowered`: whether it runs only what `graphs.lowering` has a kernel for. `quantises`: whether
    its own quantiser makes int8 from the weights in float32.
    """

    name: str
    library: str
    extra: str
    writers: tuple[str, ...] = ()
    timed: tuple[str, ...] = ()
    is_target: bool = True
    is_micro: bool = False
    is_lowered: bool = False
    quantises: bool = False

    @property
    def places(self) -> tuple[str, ...]:
        """The names of its timed files, such as litert and litert-int8, for `latency_on`."""
        return tuple(
            self.name if precision == "float32" else f"{self.name}-{precision}"
            for precision in self.timed
        )


RUNTIMES: Mapping[str, Runtime] = {
    each.name: each
    for each in (
        Runtime("tflite-micro", "tflite_micro", "litert", is_micro=True, is_lowered=True),
        Runtime(
            "litert",
            "ai_edge_litert",
            "litert",
            writers=("ai_edge_litert", "flatbuffers"),
            timed=("float32", "int8"),
            is_lowered=True,
        ),
        Runtime(
            "onnxruntime",
            "onnxruntime",
            "onnx",
            writers=("onnx", "onnxscript"),
            timed=("float32",),
            quantises=True,
        ),
        Runtime("executorch", "executorch", "executorch", is_target=False, quantises=True),
        Runtime("torch", "torch", ""),
    )
}
