import sys

import pytest

from neptune_nas.deploy.latency_place import Place, check_runtime, place_in
from neptune_nas.errors import NeptuneError, OptionError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("torch", None),
        ("litert-int8", Place("litert-int8")),
        ("ssh://pi", Place("onnxruntime", host="pi")),
        ("ssh://a.b_c@pi.local", Place("onnxruntime", "a.b_c", "pi.local")),
        ("litert+ssh://[fe80::1%eth0]:22", Place("litert", "", "fe80::1%eth0", 22)),
        ("ssh://pi/opt/bench", Place("onnxruntime", host="pi", program="/opt/bench")),
    ],
)
def test_a_text_names_a_place(text: str, found: Place | None) -> None:
    assert place_in(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("ssh://", "ssh://-oProxyCommand=x", "ssh://a@-b", "ssh://-a@b", "ssh://a:secret@b"),
        *("ssh://a b", "ssh://b:99999", "ssh://b:x", "ssh://b/x;y", "ssh://b/$(x)", "ssh://b/"),
        *("http://b", "ssh://b\n", "ssh://b/x\n"),
    ],
)
def test_what_ssh_must_not_be_given_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"must be a runtime or RUNTIME\+ssh://USER@HOST"):
        place_in(text)


@pytest.mark.parametrize("text", ["onnxruntim", "onnxruntim+ssh://pi"])
def test_an_unknown_runtime_is_refused_with_the_nearest(text: str) -> None:
    with pytest.raises(OptionError, match=r"did you mean 'onnxruntime'\? Known: "):
        place_in(text)


@pytest.mark.parametrize(
    ("missing", "place"),
    [("onnxscript", Place("onnxruntime", host="pi")), ("ai_edge_litert", Place("litert-int8"))],
)
def test_a_missing_library_is_named_with_its_extra(
    missing: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(NeptuneError, match=rf"{place.runtime} needs {missing}, .*pip install"):
        check_runtime(place)
