import pytest

from neptune_nas.text import as_typed, counted, plural


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 trials"), (1, "1 trial"), (2, "2 trials"), (1_200, "1,200 trials")],
)
def test_only_one_is_singular(count: int, said: str) -> None:
    assert counted(count, "trial") == said


def test_a_plural_of_its_own_is_given() -> None:
    assert counted(2, "study", "studies") == "2 studies"
    assert counted(1, "study", "studies") == "1 study"


def test_a_noun_follows_a_number_that_stands_elsewhere() -> None:
    assert (plural(1, "worker"), plural(2, "worker")) == ("worker", "workers")


@pytest.mark.parametrize(
    ("value", "typed"),
    [((5, 2), "5,2"), ((1,), "1"), (("accuracy", "flops"), "accuracy,flops"), ((), "none")],
)
def test_several_values_are_said_as_people_type_them(value: tuple[object, ...], typed: str) -> None:
    assert as_typed(value) == typed


def test_one_value_is_said_as_python_writes_it() -> None:
    assert (as_typed(3), as_typed("two words"), as_typed(None)) == ("3", "'two words'", "None")
