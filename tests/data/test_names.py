import os
import re
from pathlib import Path

import pytest

from neptune_nas.data.names import check_known, parse_count, short_name
from neptune_nas.errors import DataError


@pytest.mark.parametrize("kind", ["folder:", "tensors:"])
def test_a_path_that_ends_like_a_count_is_a_path_where_it_exists(kind: str, tmp_path: Path) -> None:
    name = f"{kind}{tmp_path / 'pets#12'}"
    assert parse_count(name) == (f"{kind}{tmp_path / 'pets'}", 12)
    (tmp_path / "pets#12").mkdir()
    assert parse_count(name) == (name, None)
    assert parse_count(f"{name}#5") == (name, 5)


@pytest.mark.parametrize("name", [b"caf\xe9", b"\xff/pets", b"a\xe9@32#10"])
@pytest.mark.parametrize("kind", ["folder:", "tensors:"])
def test_a_name_that_is_no_text_is_refused_since_a_study_keeps_it(kind: str, name: bytes) -> None:
    with pytest.raises(DataError, match=r"must have a name in UTF-8, since a study's files"):
        check_known(kind + os.fsdecode(name))


@pytest.mark.parametrize("name", ["digits", "cifar10#100", "folder:not/there", "tensors:not/there"])
def test_what_is_known_need_not_be_there(name: str) -> None:
    check_known(name)


def test_an_unknown_name_is_refused_without_its_count() -> None:
    with pytest.raises(DataError, match=r"data 'minst' is unknown: did you mean 'mnist'\?"):
        check_known("minst#100")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pictures", "folder:pictures"),
        ("./pictures/", "folder:./pictures/"),
        ("pictures@32", "folder:pictures@32"),
        ("pictures#10", "folder:pictures#10"),
        ("pictures@32#10", "folder:pictures@32#10"),
        ("odd#5", "folder:odd#5"),
        ("~/pictures", "folder:~/pictures"),
        ("pets.safetensors", "tensors:pets.safetensors"),
        ("pets.safetensors#10", "tensors:pets.safetensors#10"),
    ],
)
def test_the_name_of_a_folder_or_file_that_exists_lacks_its_prefix(
    name: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("pictures", "odd#5"):
        Path(folder).mkdir()
    Path("pets.safetensors").touch()
    with pytest.raises(DataError, match=re.escape(f"is unknown: did you mean '{meant}'? There is")):
        check_known(name)


@pytest.mark.parametrize(
    "name",
    ["pets.zip", "picture", "x" * 5000, "a\0b", "pictures@x", "", "@32", "@32#10", "#10", "@"],
)
def test_another_unknown_name_gets_the_known_ones(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    Path("pets.zip").touch()
    with pytest.raises(DataError, match=r"is unknown: choose one of cifar10, .* folder:PATH"):
        check_known(name)


def test_names_of_data_sets_without_their_place_differ_as_the_data_sets_do() -> None:
    names = [f"folder:my/pics{rest}" for rest in ("", "@32", "#100", "@32#100")]
    assert [*map(short_name, names)] == ["pics", "pics@32", "pics#100", "pics@32#100"]
