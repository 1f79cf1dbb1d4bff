from neptune_nas.training.choice import Choice, Kind, choose
from neptune_nas.training.state import Epoch

METRICS = ("accuracy", "loss")
Measured = tuple[float, float]


def epoch(number: int, raw: Measured, ema: Measured | None = None) -> Epoch:
    """An epoch with these accuracies and losses."""
    return Epoch(number, 1.0, 0.1, 1.0, values(raw), values(ema) if ema else {})


def values(measured: Measured) -> dict[str, float]:
    return dict(zip(METRICS, measured, strict=True))


def choice(number: int, weights: Kind, *measured: float) -> Choice:
    accuracy, loss = measured
    return Choice(number, weights, values((accuracy, loss)))


def test_the_most_accurate_weights_are_chosen() -> None:
    history = [epoch(1, (0.5, 1.0), (0.9, 2.0)), epoch(2, (0.8, 0.1), (0.7, 0.1))]
    assert choose(history, METRICS) == choice(1, "ema", 0.9, 2.0)


def test_of_equally_accurate_weights_those_of_the_lowest_loss() -> None:
    history = [epoch(1, (0.9, 1.0), (0.9, 0.8)), epoch(2, (0.9, 0.5), (0.9, 0.6))]
    assert choose(history, METRICS) == choice(2, "raw", 0.9, 0.5)


def test_where_loss_is_the_main_metric_less_of_it_is_better() -> None:
    history = [epoch(1, (0.9, 1.0)), epoch(2, (0.5, 0.5)), epoch(3, (0.7, 0.5))]
    assert choose(history, METRICS[::-1]) == choice(3, "raw", 0.7, 0.5)


def test_of_equal_weights_the_first() -> None:
    history = [epoch(1, (0.9, 1.0), (0.9, 1.0)), epoch(2, (0.9, 1.0), (0.9, 1.0))]
    assert choose(history, METRICS) == choice(1, "raw", 0.9, 1.0)


def test_epochs_that_were_not_measured_are_passed_over() -> None:
    history = [Epoch(1, 1.0, 0.1, 1.0), epoch(2, (0.5, 1.0))]
    assert choose(history, METRICS) == choice(2, "raw", 0.5, 1.0)
