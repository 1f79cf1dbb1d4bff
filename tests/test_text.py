import json

import pytest

from neptune_nas.text import as_typed, counted, csv_cell, json_visible, plural, visible


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ünïcode 語", "plain Ünïcode 語"),
        ("\x1b]8;;x\x07", "\\x1b]8;;x\\x07"),
        ("\u202e\u2066\ufeff", "\\u202e\\u2066\\ufeff"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\ud800"),
        ("\r\n\t", "\\r\\n\\t"),
        ("\u3164", "\\u3164"),
    ],
)
def test_what_a_terminal_obeys_or_hides_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d"])
def test_a_text_in_csv_is_no_formula(start: str) -> None:
    assert str(csv_cell(f"{start}cmd|x")).startswith("'")


@pytest.mark.parametrize("value", [-1.5, -1, None, True, "a=b"])
def test_numbers_and_plain_texts_in_csv_stay(value: object) -> None:
    assert csv_cell(value) == value


@pytest.mark.parametrize("text", ["\x9b", "a\u202eb", "\udcff", "語\n"])
def test_json_that_is_safe_to_print_reads_the_same(text: str) -> None:
    shown = json_visible(json.dumps([text], ensure_ascii=False))
    assert shown.isprintable()
    assert json.loads(shown) == [text]
