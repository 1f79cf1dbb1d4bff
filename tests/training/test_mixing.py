import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neptune_nas.training.mixing import mix
from neptune_nas.training.recipe import Recipe

SEEDS = st.integers(0, 999)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat(count: int = 6) -> Tensor:
    """Images each of one value, its number."""
    return torch.arange(float(count)).view(-1, 1, 1, 1).repeat(1, 3, 8, 10)


def test_a_recipe_without_mixing_changes_and_draws_nothing() -> None:
    generator, images = seeded(0), flat()
    before = generator.get_state()
    found, share = mix(images, Recipe(), generator)
    assert found is images
    assert share == 1.0
    assert torch.equal(generator.get_state(), before)


@given(SEEDS)
def test_mixup_weighs_each_image_with_the_one_before(seed: int) -> None:
    found, share = mix(flat(), Recipe(mixup=1.0), seeded(seed))
    assert 0 <= share <= 1
    torch.testing.assert_close(found, share * flat() + (1 - share) * flat().roll(1, 0))


@given(SEEDS)
def test_cutmix_pastes_one_box_whose_area_is_the_rest_of_the_share(seed: int) -> None:
    found, share = mix(flat(), Recipe(cutmix=1.0), seeded(seed))
    pasted = found == flat().roll(1, 0)
    assert torch.equal(found[~pasted], flat()[~pasted])
    for each in pasted:
        assert torch.equal(each[0], each[2])
        rows, columns = int(each[0].any(1).sum()), int(each[0].any(0).sum())
        assert int(each[0].sum()) == rows * columns
        assert share == pytest.approx(1 - rows * columns / 80)


def test_with_both_each_batch_is_mixed_by_one_of_them() -> None:
    recipe, generator = Recipe(mixup=1.0, cutmix=1.0), seeded(0)
    kinds = set()
    for _ in range(20):
        found, share = mix(flat(), recipe, generator)
        if 0.1 < share < 0.9:
            kinds.add(len(torch.unique(found[1])))
    assert kinds == {1, 2}  # one blend, or two values side by side


@given(SEEDS, st.sampled_from([Recipe(mixup=0.5), Recipe(cutmix=0.5)]))
def test_equal_seeds_mix_alike_and_leave_torchs_random_state_alone(
    seed: int, recipe: Recipe
) -> None:
    before = torch.get_rng_state()
    (one, share), (other, same) = (mix(flat(), recipe, seeded(seed)) for _ in range(2))
    assert torch.equal(one, other)
    assert share == same
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("recipe", [Recipe(mixup=0.5), Recipe(cutmix=0.5)])
def test_no_other_devices_random_state_is_seeded(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(seed: int) -> None:
        raise AssertionError(f"dropout on a GPU would draw from {seed}")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    mix(flat(), recipe, seeded(0))
