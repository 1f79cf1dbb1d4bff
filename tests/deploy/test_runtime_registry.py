"""The table of runtimes, which targets, latency, formats and files all go by."""

from typing import get_args, get_type_hints

from neptune_nas.deploy.formats import FORMATS
from neptune_nas.deploy.latency_place import PLACES, TORCH, place_in
from neptune_nas.deploy.runtime_registry import RUNTIMES
from neptune_nas.deploy.runtimes import OPENERS
from neptune_nas.deploy.targets import Target


def test_a_row_is_enough_for_latency() -> None:
    timed = [name for each in RUNTIMES.values() for name in each.places]
    assert timed == [*PLACES] == ["litert", "litert-int8", "onnxruntime"]
    for name in timed:
        place = place_in(name)
        assert place is not None
        assert PLACES[place.runtime] in RUNTIMES.values()


def test_a_target_may_have_the_runtimes_that_the_table_says() -> None:
    named = get_args(get_type_hints(Target)["runtime"])
    assert [*named] == [name for name, each in RUNTIMES.items() if each.is_target]
    for name in named:
        target = Target("mine", runtime=name)
        assert (target.is_micro, target.is_lowered) == (
            RUNTIMES[name].is_micro,
            RUNTIMES[name].is_lowered,
        )


def test_every_runtime_but_torch_opens_the_files_of_a_format() -> None:
    run = {name for each in FORMATS.values() for name in each.runtimes}
    assert run == {*OPENERS} == {*RUNTIMES} - {TORCH}
