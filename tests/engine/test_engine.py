from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.engine.engine import Usage, failed_score
from tests.engine.contract import call

seconds = st.floats(0, 1e6)


@given(st.lists(seconds, min_size=1, max_size=5), st.data())
def test_a_call_adds_to_its_own_slot_alone(busy: list[float], data: st.DataObject) -> None:
    slot, more = data.draw(st.integers(0, len(busy) - 1)), data.draw(seconds)
    after = Usage(tuple(busy), (0.0,) * len(busy)).plus(slot, more, cpu=1.0)
    assert after.busy[slot] == busy[slot] + more
    assert [*after.busy[:slot], *after.busy[slot + 1 :]] == [*busy[:slot], *busy[slot + 1 :]]
    assert after.cpu[slot] == sum(after.cpu) == 1.0


def test_a_failed_score_is_not_ok_and_says_why() -> None:
    score = failed_score(call(7), "no memory")
    assert not score.ok
    assert (score.failure, score.seed, score.fidelity) == ("no memory", 7, 1)
