"""JSON in and out, the canonical form, and the key."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.architecture.codec import canonical, from_json, has_key, key, to_json, type_name
from neptune_nas.architecture.fields import UnknownRecord, record_classes, require_classes
from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
)
from neptune_nas.errors import ArchitectureError, FileFormatError
from neptune_nas.files.schema import fits
from neptune_nas.space import choice, find_space, list_spaces


@dataclass(frozen=True)
class Mine:
    """A user's SubStage."""

    size: int = 3
    scale: float = 1.0
    names: tuple[str, ...] = ()
    pair: tuple[int, int] = (1, 2)
    double: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size must not be negative")


@dataclass(frozen=True)
class Unresolved:
    """A user's record whose annotation only their type checker can follow."""

    size: "NoSuchType"  # type: ignore[name-defined]  # noqa: F821 - the point of it


MINE = "tests.architecture.test_codec:Mine"


def architecture(*substages: object, **changes: Any) -> Architecture:
    return Architecture(stages=(Stage(width=8, substages=substages, **changes),))


def through_json(value: object) -> Any:
    return from_json(json.loads(json.dumps(to_json(value))), allow=[Mine])


@given(st.sampled_from(list_spaces()), st.integers(0, 2**32))
def test_an_architecture_of_any_shipped_space_comes_back_from_json(name: str, seed: int) -> None:
    sample = find_space(name).sample(Random(seed))

    assert through_json(sample) == sample
    assert key(through_json(sample)) == key(sample)


def test_a_record_of_the_user_comes_back_where_it_is_allowed() -> None:
    sample = architecture(Mine(size=5, names=("a", "b"), pair=(3, 4)), Conv())

    assert through_json(sample) == sample
    assert type_name(Mine) == MINE


def test_a_root_record_of_the_user_comes_back() -> None:
    assert through_json(Mine(size=7)) == Mine(size=7)
    assert canonical(Mine(size=7)) == Mine(size=7)


def test_a_record_of_the_user_is_data_where_it_is_not_allowed() -> None:
    known = architecture(Mine(size=5, names=("a", "b")), Conv())
    data = from_json(json.loads(json.dumps(to_json(known))))

    assert isinstance(data.stages[0].substages[0], UnknownRecord)
    assert json.dumps(to_json(data)) == json.dumps(to_json(known))
    assert key(data) == key(known)
    assert str(data) == str(known).replace(", double=0", "")
    assert data == from_json(to_json(known))
    assert hash(data) == hash(from_json(to_json(known)))
    assert data != from_json(to_json(architecture(Mine(size=6), Conv())))
    with pytest.raises(
        ArchitectureError,
        match=r"a custom record 'tests\.architecture\.test_codec:Mine', whose class is not "
        r"allowed: .* pass the class",
    ):
        require_classes(data)


def test_a_record_of_a_script_is_told_where_it_should_have_been_defined() -> None:
    data = from_json({**OWN, "type": "__main__:Mine"}, allow=[Mine])
    with pytest.raises(
        ArchitectureError, match=r"'__main__:Mine', defined in a script .* in a module"
    ):
        require_classes(data)


UNKNOWN: dict[str, Any] = {"type": "a.b:C", "size": 3}
NESTED: list[dict[str, Any]] = [
    UNKNOWN,
    {"type": "shop:Outer.Inner", "part": UNKNOWN, "parts": [UNKNOWN, {"type": "Identity"}, [1]]},
    {"type": "shop:make.<locals>.C", "nothing": None, "yes": True, "name": "x", "rate": 1e-9},
    {"type": "my-package.inner:C", "type_": "Conv", "build": 3, "values": [], "__class__": "x"},
    {"type": "builtins:eval", "source": "1 / 0"},
    {"type": "os:system", "command": "true"},
    {"type": "my_space:Conv", "kernel": 3, "groups": 1},
    {"type": "neptune_nas.architecture.records:Conv", "kernel": 3, "groups": 1},
    {"type": "neptune_nas.architecture.fields:UnknownRecord", "type_": "Conv", "values": []},
]


@pytest.mark.parametrize("data", NESTED, ids=[each["type"] for each in NESTED])
def test_a_record_of_unknown_class_is_written_as_it_was_read(data: dict[str, Any]) -> None:
    entry = to_json(architecture(Mine()))
    entry["stages"][0]["substages"] = [data, OWN]

    for written in (data, entry):
        read = from_json(written, allow=[Mine])
        assert json.dumps(to_json(read)) == json.dumps(written)
        assert key(read) == key(from_json(written))
        assert hash(read) == hash(from_json(written, allow=[Mine]))
        assert not {UnknownRecord, eval} & record_classes(read)
        with pytest.raises(ArchitectureError, match="whose class is not allowed"):
            require_classes(read)


@pytest.mark.parametrize("inner", [[], {"type": "a.b:C"}], ids=["lists", "records"])
def test_what_is_nested_too_deeply_is_refused(inner: Any) -> None:
    def nested(levels: int) -> dict[str, Any]:
        value = inner
        for _ in range(levels):
            value = [value] if isinstance(inner, list) else UNKNOWN | {"size": value}
        return UNKNOWN | {"size": value}

    read = from_json(nested(60))
    assert to_json(read) == nested(60)
    assert repr(read)
    for levels in (70, 400):
        with pytest.raises(FileFormatError, match="nested too deeply"):
            from_json(nested(levels))


def test_an_own_record_that_cannot_take_one_of_unknown_class_asks_for_it() -> None:
    for odd in ({"size": UNKNOWN}, {"names": [UNKNOWN]}):
        with pytest.raises(FileFormatError, match=r"record 'a\.b:C', whose class is not allowed"):
            from_json(OWN | odd, allow=[Mine])


def test_annotations_that_cannot_be_resolved_are_not_checked() -> None:
    value = Unresolved(3)

    assert from_json(to_json(value), allow=[Unresolved]) == value


CONV = {"type": "Conv", "kernel": 3, "groups": 1}
OWN: dict[str, Any] = {"type": MINE, "size": 3, "scale": 1.0, "names": [], "pair": [1, 2]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "`architecture` must be an object with a `type`, but got 3"),
        ([CONV], "`architecture` must be an object"),
        ({"kernel": 3}, r"`architecture\.type` must be the name of a record, but got None"),
        ({"type": "Conf"}, r"'Conf', which is not a record: did you mean 'Conv'\?"),
        (
            CONV | {"kernal": 3},
            r"`architecture\.kernal` is unknown: did you mean 'kernel'\?",
        ),
        ({"type": "Conv", "kernel": 3}, r"`architecture\.groups` is missing"),
        ({"type": "Identity", "x": 1}, r"`architecture\.x` is unknown: there can be none"),
        (CONV | {"kernel": "3"}, r"`architecture\.kernel` must be an odd whole .*, but got '3'"),
        (
            CONV | {"kernel": True},
            r"`architecture\.kernel` must be an odd whole .*, but got True",
        ),
        (CONV | {"kernel": 3.0}, r"`architecture\.kernel` must be an odd whole .*, but got 3\.0"),
        (CONV | {"groups": "all"}, r"must be a whole number .* or 'depthwise', but got 'all'"),
        (
            CONV | {"kernel": 4},
            r"`architecture\.kernel` must be an odd .*, but got 4",
        ),
        (OWN | {"size": -1}, "`architecture`: size must not be negative"),
        (OWN | {"scale": "1"}, r"`architecture\.scale` must be a number"),
        (OWN | {"names": [1]}, r"`architecture\.names` must be a list of strings, but got \[1\]"),
        (
            OWN | {"pair": [1]},
            r"`architecture\.pair` must be a list of 2 whole numbers, but got \[1\]",
        ),
        (OWN | {"pair": 1}, r"`architecture\.pair` must be a list of 2 whole numbers, but got 1"),
        (OWN | {"double": 1}, r"`architecture\.double` is unknown"),
        (
            {"type": ":C"},
            r"`architecture\.type` must be a name such as my_space:Scale, but got ':C'",
        ),
        ({"type": "my_space:"}, r"`architecture\.type` must be a name such as .*, but got 'my_sp"),
        ({"type": "a:b:C"}, r"`architecture\.type` must be a name such as .*, but got 'a:b:C'"),
        ({"type": "a:C\x1b[2J"}, r"`architecture\.type` must be a name such as .*, but got"),
        ({"type": "a:C\n"}, r"`architecture\.type` must be a name such as .*, but got"),
        ({"type": "../evil.py:C"}, r"`architecture\.type` must be a name such as .*, but got"),
        ({"type": "int"}, r"'int', which is not a record"),
        ({"type": "UnknownRecord"}, r"'UnknownRecord', which is not a record"),
        (
            UNKNOWN | {"a b": 1},
            r"`architecture` must be a record whose field names are identifiers, but got 'a b'",
        ),
        (
            UNKNOWN | {"": 1},
            r"`architecture` must be a record whose field names are identifiers, but got ''",
        ),
        (
            UNKNOWN | {"=1+1": 1},
            r"`architecture` must be a record whose field names are identifiers, but got '=1\+1'",
        ),
        (UNKNOWN | {"at": {"x": 1}}, r"`architecture\.at\.type` must be the name of a record"),
        (UNKNOWN | {"at": CONV | {"kernel": 4}}, r"`architecture\.at\.kernel` must be an odd"),
    ],
)
def test_what_is_malformed_is_named_by_its_path(data: object, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        from_json(data, allow=[Mine])


def test_a_record_in_a_place_of_another_kind_is_refused() -> None:
    data = to_json(Architecture())
    data["stem"] = to_json(Conv())

    with pytest.raises(FileFormatError, match=r"`architecture\.stem` must be a Stem, but got"):
        from_json(data)
    data["stem"] = {"type": "my_space:Stem", "width": 16}
    with pytest.raises(FileFormatError, match=r"record 'my_space:Stem', whose class is not all"):
        from_json(data)


@pytest.mark.parametrize("value", [Mine(names=["a"]), Mine(names={"a": 1}), Mine(pair=b"12")])  # type: ignore[arg-type]  # that is the mistake
def test_a_record_that_json_cannot_hold_is_refused(value: Mine) -> None:
    with pytest.raises(ArchitectureError, match="which JSON cannot: use numbers, strings"):
        to_json(value)


def test_a_template_is_refused() -> None:
    with pytest.raises(ArchitectureError, match=r"Choice\(options=\(3, 5\)\) is left open: sample"):
        to_json(Conv(kernel=choice(3, 5)))


def test_a_whole_number_for_a_number_of_another_writer_is_one() -> None:
    data = to_json(Head()) | {"dropout": 0}

    assert type(from_json(data).dropout) is float


def test_a_field_that_came_later_is_written_and_keyed_where_it_is_used() -> None:
    plain, squeezed = InvertedResidual(3, 2), InvertedResidual(3, 2, squeeze=4)

    assert to_json(plain) == {"type": "InvertedResidual", "kernel": 3, "expansion": 2}
    assert to_json(squeezed) == to_json(plain) | {"squeeze": 4}
    assert from_json(to_json(squeezed)) == squeezed
    assert from_json(to_json(plain)) == from_json(to_json(plain) | {"squeeze": 0}) == plain


def test_the_key_of_a_network_without_later_fields_is_what_it_was() -> None:
    assert key(architecture(InvertedResidual(3, 2))) == "24f8f621659399a8"


def test_a_later_field_is_checked_as_any_other() -> None:
    data = to_json(InvertedResidual()) | {"squeeze": -1}
    with pytest.raises(FileFormatError, match=r"`architecture.squeeze` must be .*, but got -1"):
        from_json(data)
    with pytest.raises(FileFormatError, match=r"`architecture.kernel` is missing"):
        from_json({"type": "InvertedResidual", "expansion": 2})


def test_every_value_conforms_to_an_unknown_kind_of_hint() -> None:
    assert fits([1], list[int])


EQUAL = [
    (architecture(), architecture(connections="chain")),
    (architecture(Identity()), architecture()),
    (architecture(Conv(), Identity()), architecture(Conv())),
    (architecture(Conv(groups=8)), architecture(Conv(groups="depthwise"))),
    (architecture(entry=Conv(groups=8)), architecture(entry=Conv(groups="depthwise"))),
    (architecture(Conv(), connections="dense"), architecture(Conv(), connections="chain")),
    (
        architecture(Conv(), Conv(), connections=((0,), (1,))),
        architecture(Conv(), Conv(), connections="chain"),
    ),
    (architecture(InvertedResidual(3, 4, 0)), architecture(InvertedResidual())),
    (Architecture(head=Head(dropout=0)), Architecture(head=Head(dropout=0.0))),
]
DIFFERENT = [
    architecture(),
    architecture(Conv()),
    architecture(Conv(), connections="chain"),
    architecture(Conv(), Conv()),
    architecture(Conv(), Conv(), connections="dense"),
    architecture(Conv(), Identity(), connections="dense"),
    architecture(Conv(), connections="chain", norm="mln"),
    architecture(Attention(heads=2)),
    architecture(FeedForward()),
    architecture(InvertedResidual()),
    architecture(InvertedResidual(squeeze=4)),
    architecture(Mine()),
    architecture(Mine(size=4)),
    Architecture(stem=Stem(width=8)),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal_networks_have_one_key_and_one_canonical_form(
    a: Architecture, b: Architecture
) -> None:
    assert key(a) == key(b)
    assert canonical(a) == canonical(b) == canonical(canonical(a))


def test_different_networks_have_different_keys() -> None:
    assert len({*map(key, DIFFERENT)}) == len(DIFFERENT)


def test_a_key_is_told_by_what_was_read_canonical_or_not() -> None:
    plain = Architecture()
    longer = Architecture(stages=(Stage(substages=(Identity(),)),))
    for architecture in (plain, longer):
        assert has_key(architecture, to_json(architecture), key(plain))
    assert not has_key(longer, to_json(longer), key(Architecture(stages=(Stage(width=8),))))


def test_a_key_never_changes() -> None:
    # Stored studies are found by it: a change here makes all of them strangers.
    assert key(Architecture()) == "554144a137ec6bee"


def test_a_number_of_another_type_is_no_equal_part() -> None:
    whole = {"type": "Conv", "kernel": 3, "groups": 1}
    seen: dict[bytes, Any] = {}
    stage = {
        "type": "Stage",
        "width": 8,
        "entry": whole,
        "stride": 1,
        "pool": "max",
        "norm": "batch",
        "connections": "chain",
        "substages": [whole],
    }
    from_json(stage, seen=seen)
    for other in (3.0, True):
        with pytest.raises(FileFormatError, match=r"substages\.0\.kernel"):
            from_json({**stage, "substages": [{**whole, "kernel": other}]}, seen=seen)
