import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neptune_nas.training.muon import Muon, hidden_weights, orthogonalise


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_an_orthogonalised_matrix_keeps_its_directions_with_singular_values_near_one(
    rows: int, columns: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    left, _, right = torch.linalg.svd(
        torch.randn(rows, columns, generator=generator), full_matrices=False
    )
    values = torch.linspace(1.0, 0.1, min(rows, columns))
    found = orthogonalise(left * values @ right)
    inside = left.T @ found @ right.T
    assert float(inside.diagonal().min()) > 0.6
    assert float(inside.diagonal().max()) < 1.3
    assert float((inside - inside.diagonal().diag()).abs().max()) < 1e-4


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert torch.equal(orthogonalise(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_a_step_has_the_size_of_adamws_whatever_the_shape() -> None:
    for shape in ((8, 8), (32, 8, 3, 3), (4, 64)):
        weight = nn.Parameter(torch.zeros(shape))
        optimizer = Muon([{"params": [weight], "weight_decay": 0.0, "orthogonal": True}], lr=0.5)
        weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        optimizer.step()
        assert 0.05 < float(weight.detach().square().mean().sqrt()) < 0.15  # 0.2 of the rate


def test_orthogonal_groups_decay_like_the_others() -> None:
    weights = [nn.Parameter(torch.ones(4, 4)) for _ in range(2)]
    optimizer = Muon(
        [
            {"params": [weights[0]], "weight_decay": 0.5, "orthogonal": True},
            {"params": [weights[1]], "weight_decay": 0.5},
        ],
        lr=0.1,
    )
    for weight in weights:
        weight.grad = torch.zeros(4, 4)
    optimizer.step()
    for weight in weights:
        torch.testing.assert_close(weight.detach(), torch.full((4, 4), 0.95))


def test_a_loaded_state_steps_on_like_the_one_that_was_written() -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = [torch.randn(4, 6, generator=generator) for _ in range(4)]
    found = []
    for stop in (None, 2):
        weight = nn.Parameter(torch.ones(4, 6))
        groups = [{"params": [weight], "weight_decay": 0.1, "orthogonal": True}]
        optimizer = Muon(groups, lr=0.1)
        for number, gradient in enumerate(gradients):
            if number == stop:
                state = optimizer.state_dict()
                optimizer = Muon(groups, lr=0.1)
                optimizer.load_state_dict(state)
            weight.grad = gradient.clone()
            optimizer.step()
        found.append(weight.detach())
    assert torch.equal(*found)


def test_a_parameter_without_gradient_stays() -> None:
    weight = nn.Parameter(torch.ones(2, 2))
    Muon([{"params": [weight], "weight_decay": 0.5, "orthogonal": True}], lr=0.1).step()
    assert torch.equal(weight.detach(), torch.ones(2, 2))


def test_hidden_weights_are_those_of_full_layers_that_train_except_the_last() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 4, 1),
        nn.Flatten(),
        nn.Linear(4, 5),
        nn.Linear(5, 2),
    )
    for parameter in network[3].parameters():
        parameter.requires_grad_(False)
    found = [name for name, each in network.named_parameters() if _among(each, network)]
    assert found == ["0.weight", "5.weight"]


def test_a_weight_that_is_computed_from_others_is_left_to_adamw() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    network = nn.Sequential(normed, nn.Linear(4, 5), nn.Linear(5, 2))
    found = [name for name, each in network.named_parameters() if _among(each, network)]
    assert found == ["1.weight"]


def _among(parameter: nn.Parameter, network: nn.Module) -> bool:
    return any(parameter is each for each in hidden_weights(network))
