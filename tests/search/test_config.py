from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.search.config import Search


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rungs": [3, 1]}, "rising, distinct numbers of epochs, as in 1,3,9, but got 3,1"),
        ({"constraints": ["flops<=x"]}, "constraint 'flops<=x' must be a cost"),
        ({"sampler": "autp"}, "sampler 'autp' is unknown: did you mean 'auto'"),
        ({"space": "tinny"}, "space 'tinny' is unknown: did you mean 'tiny'"),
        ({"seed": -1}, "`seed` must be a whole number in 0..4294967295, but got -1"),
        ({"seed": 2**32}, "`seed` must be a whole number in 0"),
        (
            {"sampler_kwargs": {"n": None}},
            r"`sampler_kwargs\.n` must be .*, but got None: leave it out",
        ),
    ],
)
def test_what_can_be_checked_without_data_is_refused_at_once(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(NeptuneError, match=message):
        Search(**{"space": "tiny", **changes})


def test_a_list_is_kept_as_a_tuple_and_so_is_no_part_of_the_search() -> None:
    objectives, rungs = ["accuracy", "params"], [1, 3]
    search = Search("tiny", objectives=objectives, rungs=rungs, constraints=["params<1e6"], gpus=[])
    rungs.append(9)
    assert (search.objectives, search.rungs) == (("accuracy", "params"), (1, 3))
    assert (search.constraints, search.gpus) == (("params<1e6",), ())
    assert search == Search(
        "tiny", objectives=("accuracy", "params"), rungs=range(1, 4, 2), constraints=("params<1e6",)
    )


@pytest.mark.parametrize("name", ["...", "-", "///"])
def test_a_name_without_letters_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="needs letters or digits"):
        Search(space="tiny", out=tmp_path, name=name).run()


@pytest.mark.parametrize("name", ["a/b", "a b", "-a-b", "a-b."])
def test_a_name_that_a_folder_could_not_bear_is_refused(tmp_path: Path, name: str) -> None:
    message = rf"`name` \(--study-name\) must be .* but got '{name}': write 'a-b'"
    with pytest.raises(OptionError, match=message):
        Search(space="tiny", out=tmp_path, name=name)


@pytest.mark.parametrize(
    ("data", "name"),
    [("folder:/a/pictures", "tiny-pictures"), ("folder:b/shapes@32", "tiny-shapes-32")],
)
def test_a_folder_of_images_gives_its_own_name_to_the_study(data: str, name: str) -> None:
    assert Search(space="tiny", data=data).folder.path.name == name


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"device": "gpu"}, "device 'gpu' is unknown"),
        ({"data": "minst"}, "data 'minst' is unknown"),
        ({"proxy": "synflo", "rungs": (0, 1)}, "proxy 'synflo' is unknown"),
    ],
)
def test_a_name_is_looked_at_when_it_is_given(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(NeptuneError, match=says):
        Search(space="tiny", **asked)
