from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.engine.gpus import CONTEXT, SAFE, Need, dealt, fitting

BYTES = st.integers(1, 10**11)


def test_a_worker_needs_its_context_its_data_and_its_training() -> None:
    assert Need(data=30, training=5).total == CONTEXT + 35


@given(free=BYTES, need=BYTES, most=st.integers(1, 64))
def test_what_runs_fits_and_one_more_would_not_or_has_no_core(
    free: int, need: int, most: int
) -> None:
    count = fitting(free, need, most)
    assert 1 <= count <= most
    assert count == 1 or count * need <= SAFE * free
    assert count == most or (count + 1) * need > int(SAFE * free)


def test_a_gpu_that_is_full_still_takes_one() -> None:
    assert fitting(free=0, need=10, most=4) == 1


@given(st.dictionaries(st.integers(0, 7), st.integers(1, 9), max_size=4))
def test_every_gpu_is_dealt_as_often_as_it_has_workers(counts: dict[int, int]) -> None:
    gpus = dealt(counts)
    assert {gpu: gpus.count(gpu) for gpu in gpus} == counts


def test_the_first_workers_are_spread_over_all_gpus() -> None:
    assert dealt({3: 2, 5: 4}) == (3, 5, 3, 5, 5, 5)
