from neptune_nas.training.choice import Choice, choose
from neptune_nas.training.state import Epoch


def epoch(number: int, raw: tuple[float, float], ema: tuple[float, float] | None = None) -> Epoch:
    """An epoch with these accuracies and losses."""
    measured = (*raw, *(ema or (None, None)))
    return Epoch(number, 1.0, 0.1, 1.0, *measured)


def test_the_most_accurate_weights_are_chosen() -> None:
    history = [epoch(1, (0.5, 1.0), (0.9, 2.0)), epoch(2, (0.8, 0.1), (0.7, 0.1))]
    assert choose(history) == Choice(1, "ema", 0.9, 2.0)


def test_of_equally_accurate_weights_those_of_the_lowest_loss() -> None:
    history = [epoch(1, (0.9, 1.0), (0.9, 0.8)), epoch(2, (0.9, 0.5), (0.9, 0.6))]
    assert choose(history) == Choice(2, "raw", 0.9, 0.5)


def test_of_equal_weights_the_first() -> None:
    history = [epoch(1, (0.9, 1.0), (0.9, 1.0)), epoch(2, (0.9, 1.0), (0.9, 1.0))]
    assert choose(history) == Choice(1, "raw", 0.9, 1.0)


def test_epochs_that_were_not_measured_are_passed_over() -> None:
    history = [Epoch(1, 1.0, 0.1, 1.0), epoch(2, (0.5, 1.0))]
    assert choose(history) == Choice(2, "raw", 0.5, 1.0)
