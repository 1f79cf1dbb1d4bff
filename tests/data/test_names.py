from pathlib import Path

import pytest

from neptune_nas.data.names import parse_count, short_name


@pytest.mark.parametrize("kind", ["folder:", "tensors:"])
def test_a_path_that_ends_like_a_count_is_a_path_where_it_exists(kind: str, tmp_path: Path) -> None:
    name = f"{kind}{tmp_path / 'pets#12'}"
    assert parse_count(name) == (f"{kind}{tmp_path / 'pets'}", 12)
    (tmp_path / "pets#12").mkdir()
    assert parse_count(name) == (name, None)
    assert parse_count(f"{name}#5") == (name, 5)


def test_names_of_data_sets_without_their_place_differ_as_the_data_sets_do() -> None:
    names = [f"folder:my/pics{rest}" for rest in ("", "@32", "#100", "@32#100")]
    assert [*map(short_name, names)] == ["pics", "pics@32", "pics#100", "pics@32#100"]
