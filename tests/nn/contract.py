"""What every norm, SubStage and head must do; each test class of theirs inherits one of these."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

WIDTH = 8


class ModuleContract(ABC):
    """A module that takes maps of `WIDTH` channels; a subclass makes it, and says what differs."""

    modes_differ = False
    """Whether training mode and eval mode are meant to give different outputs."""

    @abstractmethod
    def make(self) -> nn.Module:
        """Return the module under test."""

    def output_shape(self, x: Tensor) -> tuple[int, ...]:
        return tuple(x.shape)

    def test_it_gives_the_shape_it_should_on_odd_and_small_maps(self) -> None:
        module = self.seeded().eval()
        for sides in ((4, 4), (5, 7), (2, 1), (1, 1)):
            x = images(*sides)
            assert tuple(module(x).shape) == self.output_shape(x)

    def test_its_gradients_match_finite_differences(self) -> None:
        module = self.seeded().double()
        names = [name for name, _ in module.named_parameters()]
        leaves = [p.detach().requires_grad_() for p in module.parameters()]

        def run(x: Tensor, *parameters: Tensor) -> Tensor:
            torch.manual_seed(0)  # dropout draws
            out: Tensor = functional_call(module, dict(zip(names, parameters, strict=True)), x)
            return out

        for sides in ((4, 4), (3, 5)):
            x = images(*sides).double().requires_grad_()
            assert torch.autograd.gradcheck(run, (x, *leaves), fast_mode=True)

    def test_it_works_under_bfloat16_autocast_close_to_float32(self) -> None:
        module, x = self.seeded().eval(), images(6, 6)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = module(x).float()
        assert torch.allclose(low, module(x), atol=0.1, rtol=0.1)

    def test_channels_last_changes_nothing_but_the_layout(self) -> None:
        module, x = self.seeded().eval(), images(6, 6)
        expected = module(x)
        laid = module.to(memory_format=torch.channels_last)
        assert torch.allclose(laid(x.to(memory_format=torch.channels_last)), expected, atol=1e-5)

    def test_training_and_eval_differ_only_where_they_should(self) -> None:
        module, x = self.seeded(), images(6, 6)
        torch.manual_seed(0)
        same = torch.allclose(module.train()(x), module.eval()(x), atol=1e-6)
        assert same is not self.modes_differ

    def test_a_batch_of_one_trains(self) -> None:
        module, x = self.seeded().train(), images(4, 4, batch=1).requires_grad_()
        module(x).square().sum().backward()
        leaves = (x, *module.parameters())
        assert all(leaf.grad is not None and leaf.grad.isfinite().all() for leaf in leaves)

    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_an_empty_batch_gives_an_empty_output(self, layout: torch.memory_format) -> None:
        module = self.seeded().train().to(memory_format=layout)
        for sides in ((4, 4), (5, 7), (2, 1), (1, 1)):
            x = images(*sides)[:0].to(memory_format=layout).requires_grad_()
            y = module(x)
            assert tuple(y.shape) == self.output_shape(x)
            y.sum().backward()
        assert all(p.grad is None or not p.grad.any() for p in module.parameters())
        assert module.eval()(images(6, 6)).isfinite().all()

    def test_equal_seeds_give_equal_weights(self) -> None:
        first, second = self.fresh(), self.fresh()
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)

    def fresh(self) -> dict[str, Tensor]:
        torch.manual_seed(3)
        return dict(self.make().state_dict())

    def seeded(self) -> nn.Module:
        """Move every weight of a module, so that none that begins at zero hides anything."""
        torch.manual_seed(3)
        module = self.make()
        shake(module.parameters())
        return module


class NormContract(ModuleContract):
    """A norm keeps the shape."""


class SubStageContract(ModuleContract):
    """A SubStage keeps the shape, and each image's output is its own affair in eval mode."""

    def test_images_of_a_batch_do_not_mix_in_eval_mode(self) -> None:
        module, x = self.seeded().eval(), images(6, 6)
        assert torch.allclose(module(x)[:1], module(x[:1]), atol=1e-5)


class HeadContract(ModuleContract):
    """A classification head gives one logit a class."""

    classes = 5

    def output_shape(self, x: Tensor) -> tuple[int, ...]:
        return (x.shape[0], self.classes)


def images(height: int, width: int, batch: int = 3) -> Tensor:
    """Return fixed random maps `(batch, WIDTH, height, width)`, not centred nor normalised."""
    generator = torch.Generator().manual_seed(height * 31 + width)
    return torch.randn(batch, WIDTH, height, width, generator=generator) * 2 + 0.5


def shake(parameters: Iterable[Tensor]) -> None:
    """Move every number a little, as training would."""
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(torch.randn_like(parameter) * 0.3)
