"""Muon: AdamW whose steps for matrices have singular values near one (Jordan et al. 2024).

https://kellerjordan.github.io/posts/muon. The steps have the size of AdamW's (arXiv 2502.16982), so
that one rate and one weight decay serve all parameters.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the polynomial that drives singular values to 1
_ITERATIONS = 5
_MOMENTUM = 0.95
_RMS = 0.2  # of AdamW's steps, as a share of the rate


class Muon(AdamW):
    """AdamW that steps along orthogonal matrices in groups with `orthogonal=True`.

    Parameters of those groups have two axes or more; all but the first are flattened into one.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__([{"orthogonal": False, **group} for group in groups], lr=lr, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take a step; the gradients of orthogonal groups are None afterwards."""
        for group in self.param_groups:
            if group["orthogonal"]:
                for parameter in group["params"]:
                    self._step_matrix(parameter, group["lr"], group["weight_decay"])
        return super().step(closure)

    def _step_matrix(self, parameter: Tensor, lr: float, weight_decay: float) -> None:
        gradient, parameter.grad = parameter.grad, None  # AdamW skips those without one
        if gradient is None:
            return
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)  # AdamW expects it in every state that it loads
            state["momentum"] = torch.zeros_like(gradient)
        state["step"] += 1
        momentum = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        ahead = gradient.lerp(momentum, _MOMENTUM).flatten(1)  # Nesterov's
        step = orthogonalise(ahead).mul_(_RMS * max(ahead.shape) ** 0.5)
        parameter.mul_(1 - lr * weight_decay).sub_(step.view(parameter.shape), alpha=lr)


def orthogonalise(matrix: Tensor) -> Tensor:
    """Return the nearest matrix with all singular values about 1 (0.7 to 1.2), by Newton-Schulz."""
    tall = matrix.shape[0] > matrix.shape[1]
    found: Tensor = matrix.T if tall else matrix
    found = found / found.norm().clamp(min=1e-7)
    first, second, third = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        square = found @ found.T
        found = first * found + (second * square + third * square @ square) @ found
    return found.T if tall else found


def hidden_weights(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights that Muon trains: of full convolutions and linear layers but the last.

    A grouped convolution is many small matrices, the rows of the last layer are classes, and a
    weight that is computed, as by weight normalisation, is no parameter: AdamW trains those.
    """
    layers = [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    full = (each for each in layers[:-1] if isinstance(each, nn.Linear) or each.groups == 1)
    own = [dict(each.named_parameters(recurse=False)) for each in full]
    return [each["weight"] for each in own if "weight" in each and each["weight"].requires_grad]
