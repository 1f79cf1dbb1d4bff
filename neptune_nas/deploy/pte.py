"""A model as a `.pte` file of ExecuTorch, whose operations XNNPACK runs where it can."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.export import ExportedProgram

from neptune_nas.errors import check_installed
from neptune_nas.models.export.pt2 import forget_stack_traces, refusal, silence
from neptune_nas.models.model import Model


def to_pte(model: Model, batches: Iterable[Tensor] | None = None) -> bytes:
    """Return the file's content: one image `(1, C, H, W)` in 0..1 to logits `(1, classes)`.

    `batches`: images `(N, C, H, W)` in 0..1 to quantise the network with, statically, weights by
    channel; without them it stays in float32. The file takes and gives float32 in either case.
    Raises `NeptuneError` without ExecuTorch, and for a network that it cannot hold.
    """
    check_installed("the format pte", ("executorch",), "executorch")
    classifier = model.classifier().requires_grad_(False)
    image = torch.zeros(1, *model.input_shape)
    try:
        with silence():
            program = torch.export.export(classifier, (image,))
            if batches is not None:
                program = _quantised(program, image, batches)
            return _written(program)
    except Exception as error:  # its kind depends on the operation that ExecuTorch lacks
        raise refusal(model, "written for ExecuTorch", error) from error


def _quantised(
    program: ExportedProgram, image: Tensor, batches: Iterable[Tensor]
) -> ExportedProgram:
    """Return a program in int8, with the ranges of its maps over all images."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    config = get_symmetric_quantization_config(is_per_channel=True)
    observed = prepare_pt2e(program.module(), XNNPACKQuantizer().set_global(config))
    with torch.no_grad():
        for batch in batches:
            for each in torch.split(batch, 1):  # the program is for one image
                observed(each)
    return torch.export.export(convert_pt2e(observed), (image,))


def _written(program: ExportedProgram) -> bytes:
    """Return the file of a program."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    forget_stack_traces(program)
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(edge.to_executorch().buffer)
