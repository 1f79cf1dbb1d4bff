import ast

from neptune_nas.export.source import import_lines, in_order, reach, source_of, spaced

SUBSTAGES = "neptune_nas.nn.substages"


def names_in(source: str) -> set[str]:
    """What a source defines at its top level."""
    return {
        name
        for node in ast.parse(source).body
        if (name := getattr(node, "name", None) or getattr(getattr(node, "target", None), "id", ""))
    }


def test_what_a_class_uses_comes_with_it_and_nothing_else() -> None:
    source = source_of(reach([(SUBSTAGES, "FeedForward")], {}), {})
    assert names_in(source) == {"FeedForward", "conv"}


def test_what_matters_to_training_alone_is_left_out() -> None:
    source = source_of(reach([(SUBSTAGES, "conv")], {}), {})
    assert source.startswith("def conv(")
    assert "return nn.Conv2d(" in source


def test_methods_that_nothing_calls_are_left_out() -> None:
    source = source_of(reach([(SUBSTAGES, "Projection")], {}), {})
    assert "def forward" in source
    assert "def accepting" not in source


def test_only_the_used_entries_of_a_table_are_taken() -> None:
    tables = {"KINDS": frozenset({"none", "rms"})}
    source = source_of(reach([("neptune_nas.nn.norms", "make_norm")], tables), tables)
    assert {"RMSNorm", "NoNorm", "make_norm"} <= names_in(source)
    assert "LRN" not in source


def test_imports_name_what_is_used_by_kind() -> None:
    outside = reach([("neptune_nas.nn.heads", "ClassificationHead")], {}).outside
    assert {("F", ("torch.nn", "functional")), ("torch", ("torch", ""))} <= outside
    names = {("F", ("torch.nn", "functional")), ("torch", ("torch", "")), ("gcd", ("math", "gcd"))}
    assert import_lines(names).split("\n") == [
        "from math import gcd",
        "",
        "import torch",
        "from torch.nn import functional as F",
    ]


def test_a_module_comes_after_those_that_it_imports() -> None:
    modules = in_order(["neptune_nas.nn.stage", "neptune_nas.errors", "neptune_nas.nn.norms"])
    assert modules.index("neptune_nas.errors") < modules.index("neptune_nas.nn.norms")
    assert modules.index("neptune_nas.nn.norms") < modules.index("neptune_nas.nn.stage")


def test_remarks_for_linters_are_left_out() -> None:
    source = source_of(reach([("neptune_nas.nn.norms", "BatchNorm")], {}), {})
    assert "noqa" not in source
    assert "class BatchNorm" in source


def test_constants_stand_together_and_blocks_apart() -> None:
    assert spaced(["A = 1", "B = 2", "def f(): ...", "C = 3"]) == (
        "A = 1\nB = 2\n\n\ndef f(): ...\n\n\nC = 3"
    )
