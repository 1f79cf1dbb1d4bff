"""What a search uses where its user left it open."""

from pathlib import Path
from random import Random
from shlex import split

import pytest
from PIL import Image

from neptune_nas.data.names import AMOUNTS
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.metrics.counted import CostModel
from neptune_nas.search.config import Search
from neptune_nas.search.defaults import DIGITS_RUNGS, scaled_space, sized_data
from neptune_nas.training.recipe import Recipe


def pictures(folder: Path, *sizes: tuple[int, int], each: int = 10) -> str:
    """Return the data set of a folder of two classes, whose pictures have these sizes in turn."""
    random = Random(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            size = sizes[i % len(sizes)]
            picture = Image.effect_noise(size, random.uniform(10, 90)).convert("RGB")
            picture.save(folder / name / f"{i}.png")
    return f"folder:{folder}"


@pytest.mark.parametrize(
    ("limit", "side"),
    [("flops<=2M", 32), ("flops<=1k", 32), ("flops<=20M", 96), ("flops<=9G", 224)],
)
def test_large_pictures_are_scaled_to_what_the_limit_can_pay_for(
    tmp_path: Path, limit: str, side: int
) -> None:
    data = pictures(tmp_path, (640, 480), each=2)
    name, why = sized_data(data, [parse_constraint(limit)])
    assert name == f"{data}@{side}"
    assert f"scaled to {side}x{side} pixels for at most" in why
    assert "(their shorter sides have 480)" in why
    assert why.endswith(f"{data}@{2 * side} takes larger ones.")


@pytest.mark.parametrize(
    ("limits", "side", "why"),
    [
        (("ram<=24KiB",), 32, "for at most 24 KiB of RAM"),
        (("ram<=112KiB",), 64, "for at most 112 KiB of RAM"),
        (("ram<=4MiB",), 96, "for at most 4 MiB of RAM"),
        (("ram<=4MiB", "flops<=2M"), 32, "for at most 2M FLOPs"),
        (("ram<=112KiB", "flops<=9G"), 64, "for at most 112 KiB of RAM"),
    ],
)
def test_large_pictures_are_scaled_to_what_leaves_ram_for_the_maps(
    tmp_path: Path, limits: tuple[str, ...], side: int, why: str
) -> None:
    data = pictures(tmp_path, (640, 480), each=2)
    name, said = sized_data(data, [*map(parse_constraint, limits)])
    assert name == f"{data}@{side}"
    assert f"scaled to {side}x{side} pixels {why} (their" in said


def test_a_limit_on_macs_is_one_on_twice_as_many_flops(tmp_path: Path) -> None:
    data = pictures(tmp_path, (640, 480), each=2)
    macs, flops = (sized_data(data, [parse_constraint(x)]) for x in ("macs<=10M", "flops<=20M"))
    assert macs == flops
    assert "for at most 20M FLOPs" in macs[1]
    both = [parse_constraint("macs<=1M"), parse_constraint("flops<=20M")]
    assert sized_data(data, both)[0] == f"{data}@32"


@pytest.mark.parametrize(
    ("sizes", "limit", "side", "said"),
    [
        ([(640, 470), (640, 480), (650, 490)], "flops<=2M", 32, "have about 480); `data` (--data)"),
        ([(50, 60)], "flops<=2M", 32, "@50 takes larger ones."),
        ([(40, 50), (36, 60)], "flops<=9G", 32, "since they differ in size (their shorter sides"),
        ([(33, 48), (32, 40)], "flops<=9G", 32, "have about 33); `data` (--data)"),
        ([(32, 48), (32, 40)], "flops<=9G", 32, "have about 32)."),
        ([(20, 48), (20, 40)], "flops<=2M", 20, "have about 20)."),
    ],
)
def test_no_picture_is_to_be_made_larger_than_it_is(
    tmp_path: Path, sizes: list[tuple[int, int]], limit: str, side: int, said: str
) -> None:
    data = pictures(tmp_path, *sizes, each=3)
    name, why = sized_data(data, [parse_constraint(limit)])
    assert name == f"{data}@{side}"
    assert said in why


def test_the_hint_is_one_word_of_a_shell(tmp_path: Path) -> None:
    data = pictures(tmp_path / "my pictures", (640, 480), each=2)
    _, why = sized_data(f"{data}#3", [parse_constraint("flops<=2M")])
    words = split(why.partition("(--data) ")[2])
    assert words[0] == f"{data}@64#3"


def test_without_a_limit_on_flops_pictures_have_at_most_64_pixels(tmp_path: Path) -> None:
    data = pictures(tmp_path, (640, 480), (200, 300), each=2)
    name, why = sized_data(f"{data}#3", [parse_constraint("params<=1M")])
    assert name == f"{data}@64#3"
    assert "without a limit on FLOPs" in why


@pytest.mark.parametrize("end", ["", "@200", "@200#3"])
def test_small_pictures_and_those_with_a_size_stay_as_they_are(tmp_path: Path, end: str) -> None:
    data = pictures(tmp_path, (32, 32), each=2) + end
    assert sized_data(data, [parse_constraint("flops<=2M")]) == (data, "")


def test_small_pictures_of_many_sizes_become_no_larger(tmp_path: Path) -> None:
    data = pictures(tmp_path, (40, 50), (36, 60), each=2)
    assert sized_data(data, [])[0] == f"{data}@32"


def test_other_data_sets_keep_their_names() -> None:
    assert sized_data("cifar10#100", [parse_constraint("flops<=2")]) == ("cifar10#100", "")


def test_a_users_pictures_are_searched_in_a_space_that_is_scaled_to_them(tmp_path: Path) -> None:
    search = Search(data=pictures(tmp_path, (32, 32)), constraints=("flops<=2M",))
    assert search.space_name == "auto"
    assert search.folder.path.name.startswith("auto-")
    space, shape = search.found_space, (3, 32, 32)
    drawn = [space.sample(Random(i)) for i in range(60)]
    model = CostModel(shape, 2)
    assert sum(model.cost(each).flops <= 2e6 for each in drawn) >= 20
    assert max(model.cost(each).flops for each in drawn) > 1e6
    training, scaled = search.reasons
    assert training.startswith("Training: ")
    assert scaled.endswith("% meets flops <= 2,000,000.")


def test_the_space_is_the_widest_of_which_a_quarter_meets_the_limit(tmp_path: Path) -> None:
    data, model, typical = pictures(tmp_path, (32, 32)), CostModel((3, 32, 32), 2), []
    for most in (500_000, 5_000_000, 50_000_000):
        space, _ = scaled_space(data, None, [parse_constraint(f"flops<={most}")])
        costs = sorted(model.cost(space.sample(Random(i))).flops for i in range(50))
        assert costs[8] < most < costs[45]
        typical.append(costs[25])
    assert typical == sorted({*typical})


@pytest.mark.parametrize(("limit", "strides"), [("flops<=2M", {2}), ("flops<=50M", {1, 2})])
def test_a_stem_halves_the_map_if_flops_are_few(
    tmp_path: Path, limit: str, strides: set[int]
) -> None:
    space, _ = scaled_space(pictures(tmp_path, (32, 32)), None, [parse_constraint(limit)])
    assert {space.sample(Random(i)).stem.stride for i in range(20)} == strides


def test_a_limit_that_nothing_meets_gives_the_narrowest_space(tmp_path: Path) -> None:
    space, why = scaled_space(pictures(tmp_path, (32, 32)), None, [parse_constraint("flops<=9")])
    assert "around 4 channels, of which about 0% meets" in why
    assert why.endswith("; it can be no narrower.")
    assert space.name == "auto"


@pytest.mark.parametrize("slow", ["peak_memory<=64KiB", "latency<=1ms"])
def test_a_limit_that_takes_long_to_look_at_does_not_decide_on_the_width(
    tmp_path: Path, slow: str
) -> None:
    data, limit = pictures(tmp_path, (32, 32)), parse_constraint(slow)
    space, why = scaled_space(data, None, [limit])
    usual, free = scaled_space(data, None, [])
    assert space.fingerprint == usual.fingerprint
    assert why == f"Space: auto, around 16 channels; {limit} is left to the search."
    assert free == "Space: auto, around 16 channels, since nothing limits its networks."
    quick = parse_constraint("flops<=2M")
    both, why = scaled_space(data, None, [limit, quick])
    alone, _ = scaled_space(data, None, [quick])
    assert both.fingerprint == alone.fingerprint != usual.fingerprint
    assert why.endswith(f"meets {quick}; {limit} is left to the search.")


@pytest.mark.parametrize("side", [8, 28, 32, 100, 224])
def test_the_space_fits_images_of_any_size(tmp_path: Path, side: int) -> None:
    space, _ = scaled_space(pictures(tmp_path, (side, side)), None, [])
    model = CostModel((3, side, side), 2)
    for i in range(20):
        assert model.cost(space.sample(Random(i))).flops > 0


def test_what_the_user_gives_is_used(tmp_path: Path) -> None:
    data = pictures(tmp_path, (32, 32))
    search = Search(space="tiny", data=data, rungs=(2, 5), recipe=Recipe(batch_size=16))
    assert search.space_name == "tiny"
    assert search.question.rungs == (2, 5)
    assert search.used_recipe.batch_size == 16
    assert search.reasons == ()


def test_batch_and_rungs_follow_from_the_number_of_images(tmp_path: Path) -> None:
    search = Search(space="tiny", data=pictures(tmp_path, (8, 8), each=10))
    assert search.used_recipe.batch_size == 16
    assert search.question.rungs == (6, 20, 60)
    (reason,) = search.reasons
    assert reason.startswith("Training: 6, 20, 60 epochs, at most 60 steps of 16 images, for 12")


def test_digits_are_easy_and_take_few_epochs() -> None:
    assert Search().question.rungs == DIGITS_RUNGS
    assert Search().space_name == "default"
    assert Search(data="mnist").question.rungs == (1, 4)


def test_no_part_of_a_data_set_is_trained_for_too_few_steps() -> None:
    assert Search(data="cifar10#500").question.rungs == (6, 20, 60)
    assert Search(data="cifar10").question.rungs == (1, 4)


def test_the_counts_of_the_digits_are_what_they_are() -> None:
    from neptune_nas.data.load import load_data

    digits = load_data("digits")
    assert AMOUNTS["digits"] == (len(digits.train), len(digits.classes))
