"""What is said of a slow step, and when."""

from neptune_nas.search.announcer import Announcer


def test_a_quick_step_is_not_announced_and_a_slow_one_every_ten_seconds() -> None:
    said: list[str] = []
    times = iter([0.0, 1.9, 2.0, 2.0, 11.9, 12.0, 12.0])
    note = Announcer(said.append, times.__next__).progress("Counting networks")

    note(1, 1_000)
    assert said == []
    note(300, 1_000)
    assert said == ["Counting networks: 300 of 1,000 checked."]
    note(800, 1_000)
    assert len(said) == 1
    note(1_000, 1_000)
    assert said[1:] == ["Counting networks: 1,000 of 1,000 checked."]


def test_an_announcer_without_anyone_to_tell_is_silent() -> None:
    Announcer(clock=iter([0.0, 5.0, 5.0]).__next__).progress("Counting")(1, 2)
