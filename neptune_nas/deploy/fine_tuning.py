"""Quantisation-aware fine-tuning: the weights of a fused graph learn to be rounded.

Weights and maps are rounded in each forward pass as int8 rounds them, and gradients pass straight
through (Jacob et al. 2018, arXiv 1712.05877). Norms are folded already, so only what the file holds
is trained. Maps keep the scales of the calibration.
"""

from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor, nn

from neptune_nas.data.images import ImageData
from neptune_nas.deploy.execution import activated, compute, map_values, output_of
from neptune_nas.deploy.quantisation import UnquantisableError, weight_steps, with_scales
from neptune_nas.deploy.quantised_graph import LEAST, MOST, QuantisedGraph, Scale
from neptune_nas.graphs.graph import Graph, Operation, Weights
from neptune_nas.training.loop import train
from neptune_nas.training.recipe import Recipe

EPOCHS = 3  # of fine-tuning
_RATE = 0.1  # of the recipe's highest learning rate: the weights are good already


class _RoundedNetwork(nn.Module):
    """A quantised graph in floating point, whose weights can be trained.

    It takes normalised images, as training gives them, and normalises inside as the graph does.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, quantised: QuantisedGraph, data: ImageData) -> None:
        super().__init__()
        self.quantised = quantised
        for name, values in (("pixel_mean", data.mean), ("pixel_std", data.std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1))
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for each in quantised.graph.operations:
            weight, bias = each.constant.weight, each.constant.bias
            if weight is not None:
                zeros = weight.new_zeros(len(weight))
                self.weights[str(each.output)] = nn.Parameter(weight.detach().clone())
                self.biases[str(each.output)] = nn.Parameter(
                    (zeros if bias is None else bias).detach().clone()
                )

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images `(N, C, H, W)` to outputs."""
        graph, scales = self.quantised.graph, self.quantised.scales
        (source,) = graph.inputs
        pixels = _rounded(images * self.pixel_std + self.pixel_mean, scales[source])
        return output_of(graph, map_values(graph, pixels, self._step))

    def _step(self, operation: Operation, sources: list[Tensor]) -> Tensor:
        """Return the map that an operation writes, rounded as in int8."""
        graph, scales, name = self.quantised.graph, self.quantised.scales, str(operation.output)
        weight = bias = None
        if name in self.weights:
            weight, bias = self.weights[name], self.biases[name]
            steps = weight_steps(
                operation, weight.detach(), bias.detach(), scales[operation.inputs[0]]
            )
            zeros = torch.zeros(len(steps), dtype=torch.int32)
            weight = torch.fake_quantize_per_channel_affine(
                weight, steps.float(), zeros, 0, -MOST, MOST
            )
        map_ = activated(operation, compute(operation, graph, sources, weight, bias))
        return _rounded(map_, scales[operation.output])

    def graph(self) -> Graph:
        """Return the graph with the weights as they are now."""
        return replace(
            self.quantised.graph,
            operations=tuple(
                replace(each, constant=self._constant(each))
                for each in self.quantised.graph.operations
            ),
        )

    def _constant(self, operation: Operation) -> Weights:
        name = str(operation.output)
        if name not in self.weights:
            return operation.constant
        return Weights(self.weights[name].detach().clone(), self.biases[name].detach().clone())


def _rounded(map_: Tensor, scale: Scale) -> Tensor:
    """Return a map rounded to what an int8 can mean; gradients pass where it is within range."""
    return torch.fake_quantize_per_tensor_affine(map_, scale.step, scale.zero_point, LEAST, MOST)


def fine_tuned(
    quantised: QuantisedGraph, data: ImageData, recipe: Recipe, epochs: int = EPOCHS, seed: int = 0
) -> QuantisedGraph | None:
    """Return a quantised graph whose weights were trained on for some epochs, or None.

    The recipe's learning rate is a tenth of what it was, and falls to zero. It trains on the host
    in float32, on the training images alone. None if the training diverges.
    """
    network = _RoundedNetwork(quantised, data)
    softly = replace(recipe, lr=recipe.lr * _RATE, schedule="cosine", precision="fp32")
    if train(network, data, softly, epochs, seed=seed).failure is None:
        with suppress(UnquantisableError):  # rounding hides NaN from the loss
            return with_scales(network.graph(), quantised.scales)
    return None
