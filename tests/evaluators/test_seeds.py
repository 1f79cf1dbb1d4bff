from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.evaluators.seeds import seed_for


@given(st.integers(), st.text(), st.integers(0, 9))
def test_a_seed_is_one_every_library_takes(study_seed: int, key: str, repeat: int) -> None:
    assert 0 <= seed_for(study_seed, key, repeat) < 2**32


def test_study_seed_key_and_repeat_all_matter() -> None:
    assert (
        len({seed_for(*what) for what in [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1)]}) == 4
    )


def test_repeats_have_the_seeds_that_follow() -> None:
    first = seed_for(0, "key")
    assert [seed_for(0, "key", repeat) for repeat in range(3)] == [first, first + 1, first + 2]


def test_a_seed_is_the_same_on_every_machine() -> None:
    assert seed_for(0, "key") == 0x2B1F594A  # sha256 of "0|key|0"
