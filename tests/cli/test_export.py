import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import onnx
import pytest
import torch

import neptune_nas
from neptune_nas.cli.pick import numbered
from neptune_nas.errors import StudyError
from neptune_nas.metrics.registry import COSTS
from neptune_nas.metrics.score import Score, ScoreFields
from neptune_nas.models.architecture_file import Document, loads
from neptune_nas.models.model import load_model, make_untrained, save_model
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.study import Study
from tests.cli.run import assert_one_sentence, neptune
from tests.study.builders import make_trial, question, settings

SCHEMA = Path(__file__).parents[2] / "docs" / "architecture.schema.json"


@pytest.mark.parametrize("which", ["efficiency", "accuracy", "knee"])
def test_the_best_is_written_as_json_that_loads_again(study: Path, which: str) -> None:
    outcome = neptune("export", study, "--best", which)
    assert outcome.code == 0
    assert loads(outcome.out, "stdout").provenance["study"] == "tiny-digits"


def test_a_trial_can_be_taken_by_number(study: Path, tmp_path: Path) -> None:
    file = tmp_path / "second.json"
    assert neptune("export", study, "--trial", 1, "-o", file).code == 0
    assert neptune_nas.load(file).provenance["trial"] == 1


def test_the_file_obeys_the_published_schema(study: Path) -> None:
    content = json.loads(neptune("export", study).out)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(content)


def test_the_published_schema_names_the_fields_that_are_read() -> None:
    schema = json.loads(SCHEMA.read_text())
    score = schema["$defs"]["score"]
    for known, published in (
        (names(Document) | {"format", "version"}, schema),
        ({cost.name for cost in COSTS}, schema["properties"]["costs"]),
        (names(ScoreFields), score),
    ):
        assert known == {*published["properties"]}
        assert published["additionalProperties"] is False
    stay = {"trace"}  # a traceback tells of the machine, and stays with the study
    assert names(ScoreFields) | stay == names(Score)
    assert stay.isdisjoint(names(ScoreFields))
    needed = [f.name for f in dataclasses.fields(ScoreFields) if f.default is dataclasses.MISSING]
    assert needed == score["required"]


def names(cls: Any) -> set[str]:
    """Return the fields of a record."""
    return {field.name for field in dataclasses.fields(cls)}


def test_a_trial_that_others_wrote_into_the_database_is_none_of_the_study() -> None:
    trials = (make_trial(0, 0.5, 100), make_trial(2, 0.5, 100))
    study = Study(Path("x"), settings(question()), trials, Ledger())
    assert numbered(study, 2) is trials[1]
    with pytest.raises(StudyError, match="study x has trials 0 to 2, but --trial asks for 1"):
        numbered(study, 1)
    with pytest.raises(StudyError, match="study x has no trials, but --trial asks for 0"):
        numbered(dataclasses.replace(study, trials=()), 0)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--best", "fastest"), ("--best 'fastest' is unknown", "efficiency")),
        (("--trial", 3), ("trials 0 to 2", "asks for 3")),
        (("--trial", -1), ("trials 0 to 2", "asks for -1")),
        (("--trial", 0, "--best", "knee"), ("exclude each other",)),
        (("--format", "yaml"), ("--format 'yaml' is unknown",)),
    ],
)
def test_a_mistake_is_one_sentence(
    study: Path, options: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    assert_one_sentence(neptune("export", study, *options), *parts)


@pytest.fixture(scope="module")
def trained(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model's file, of the study's best architecture."""
    path = tmp_path_factory.mktemp("export") / "model.safetensors"
    save_model(path, make_untrained(neptune_nas.load(study / "best.json")))
    return path


def test_a_trained_model_becomes_a_python_file_with_its_weights(
    trained: Path, tmp_path: Path
) -> None:
    outcome = neptune("export", trained, "--format", "python", "-o", tmp_path / "net.py")
    key = load_model(trained).key
    lines = [f"Network {key}: {tmp_path / name}" for name in ("net.py", "net.pt")]
    assert (outcome.code, outcome.err, outcome.out.splitlines()) == (0, "", lines)
    weights = torch.load(tmp_path / "net.pt", weights_only=True)
    assert weights.keys() == load_model(trained).state.keys()


def test_a_trained_models_architecture_is_that_of_its_file(trained: Path, study: Path) -> None:
    assert neptune("export", trained).out == (study / "best.json").read_text()


def test_a_network_that_nobody_trained_is_written_with_a_word_of_warning(
    study: Path, tmp_path: Path
) -> None:
    file = tmp_path / "net.py"
    for source in (study, study / "best.json"):
        outcome = neptune("export", source, "--format", "python", "-o", file)
        assert outcome.code == 0
        assert outcome.err.startswith("Note: the exported model has random weights, ")
        assert "neptune-nas:" not in outcome.err
        assert file.is_file()
        file.unlink()
        file.with_suffix(".pt").unlink()


def test_a_graph_is_written_for_a_study(study: Path, tmp_path: Path) -> None:
    outcome = neptune("export", study, "--trial", 1, "--format", "pt2", "-o", tmp_path / "n.pt2")
    assert outcome.out == f"Trial 1: {tmp_path / 'n.pt2'}\n"
    network = torch.export.load(tmp_path / "n.pt2").module()
    assert network(torch.rand(3, 1, 8, 8)).shape == (3, 10)


def test_a_hand_designed_network_has_no_architecture_to_write(tmp_path: Path) -> None:
    file = tmp_path / "resnet8.safetensors"
    save_model(file, make_untrained(ReferenceNetwork("resnet8", (1, 8, 8), 10)))
    assert_one_sentence(neptune("export", file), "'resnet8'", "--format onnx, pt2 or python")


@pytest.mark.parametrize("name", ["net.pt2", "net.PT2", "net.py", "net.onnx"])
def test_the_suffix_chooses_the_format(trained: Path, tmp_path: Path, name: str) -> None:
    outcome = neptune("export", trained, "-o", tmp_path / name)
    if name == "net.PT2":  # a format's own suffix is in small letters
        assert_one_sentence(outcome, "needs a file that ends in .pt2", name)
        return
    assert (outcome.code, outcome.err) == (0, "")
    match name:
        case "net.pt2":
            torch.export.load(tmp_path / name)
        case "net.py":
            assert "import torch" in (tmp_path / name).read_text()
        case _:
            onnx.checker.check_model(onnx.load(tmp_path / name))


@pytest.mark.parametrize("name", ["net.onnx", "net.pt2", "net.py", "net.ONNX"])
def test_a_format_that_contradicts_the_suffix_is_refused(
    trained: Path, tmp_path: Path, name: str
) -> None:
    outcome = neptune("export", trained, "--format", "json", "-o", tmp_path / name)
    assert_one_sentence(outcome, "--format json needs a file that ends in .json", name)
    other = "onnx" if name == "net.pt2" else "pt2"
    outcome = neptune("export", trained, "--format", other, "-o", tmp_path / name)
    assert_one_sentence(outcome, f"the format {other} needs a file that ends in .{other}", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["net.json", "net.JSON", "net"])
def test_without_a_suffix_the_architecture_is_written(
    study: Path, tmp_path: Path, name: str
) -> None:
    assert neptune("export", study, "-o", tmp_path / name).code == 0
    assert json.loads((tmp_path / name).read_text())["format"] == "neptune-nas/architecture"


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.onx", "net.txt", "net.safetensors"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(
    study: Path, tmp_path: Path, name: str
) -> None:
    outcome = neptune("export", study, "-o", tmp_path / name)
    assert_one_sentence(
        outcome,
        "-o must end in .json, .onnx, .pt2, .py, .tflite, .h or .pte, which",
        f"but got {tmp_path}",
        name,
    )
    assert "--format" not in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_json_that_is_asked_for_may_have_another_suffix(study: Path, tmp_path: Path) -> None:
    assert neptune("export", study, "--format", "json", "-o", tmp_path / "net.txt").code == 0
    assert json.loads((tmp_path / "net.txt").read_text())["format"] == "neptune-nas/architecture"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--format", "onnx"), ("--format onnx needs an output file", "-o FILE")),
        (("--format", "python", "-o", "net.txt"), ("ends in .py", "net.txt")),
        (("--best", "knee"), ("pick a trial of a study", "model.safetensors is not a folder")),
    ],
)
def test_what_a_model_cannot_become_is_one_sentence(
    trained: Path, options: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    assert_one_sentence(neptune("export", trained, *options), *parts)


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("pt2", "m.safetensors"),
        ("pt2", "m.onnx"),
        ("onnx", "m.safetensors"),
        ("json", "m.safetensors"),
        ("json", "m.pt"),
        ("json", "link"),
        ("python", "m.pt"),
        ("python", "."),
    ],
)
def test_what_is_exported_is_never_written_over(
    trained: Path, tmp_path: Path, form: str, name: str
) -> None:
    source = tmp_path / "m.safetensors"
    source.write_bytes(trained.read_bytes())
    (tmp_path / "link").symlink_to(source)
    assert_one_sentence(neptune("export", source, "--format", form, "-o", tmp_path / name), name)
    assert source.read_bytes() == trained.read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"m.safetensors", "link"}


def test_an_architecture_is_not_written_over_the_file_it_is_read_from(
    study: Path, tmp_path: Path
) -> None:
    source = tmp_path / "best.json"
    source.write_bytes((study / "best.json").read_bytes())
    assert_one_sentence(neptune("export", source, "-o", source), "the file to export")


@pytest.mark.parametrize("name", ["nothing.json", "nothing.safetensors", "nothing"])
def test_a_source_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    assert_one_sentence(neptune("export", tmp_path / name), name, "cannot be read")


def test_profile_shows_every_part_and_the_sum(study: Path) -> None:
    outcome = neptune("profile", study / "best.json")
    assert outcome.code == 0
    for part in ("stem", "stages.0.entry", "head", "total", "batch 1", "batch 64"):
        assert part in outcome.out
    assert outcome.out.count("ms on the wall") == 2
    assert "processor time of one thread, batch 1: " in outcome.out


@pytest.mark.parametrize("size", ["32x32", "3x0x32", "axbxc"])
def test_profile_refuses_a_shape_it_cannot_read(study: Path, size: str) -> None:
    outcome = neptune("profile", study / "best.json", "--input", size)
    assert_one_sentence(outcome, "--input needs CxHxW", size)


@pytest.mark.parametrize("threads", [0, -2, 65_537])
def test_a_profile_without_threads_or_with_too_many_is_refused_before_it_prints(
    study: Path, threads: int
) -> None:
    outcome = neptune("profile", study / "best.json", "--threads", threads)
    assert_one_sentence(
        outcome,
        f"`--threads` must be a whole number of at least 1 and below 1025, but got {threads}",
    )


def test_diff_shows_both_sides(study: Path, tmp_path: Path) -> None:
    neptune("export", study, "--trial", 0, "-o", tmp_path / "a.json")
    neptune("export", study, "--trial", 1, "-o", tmp_path / "b.json")
    outcome = neptune("diff", tmp_path / "a.json", tmp_path / "b.json")
    assert outcome.code == 0
    for part in ("FLOPs", "accuracy", "key"):
        assert part in outcome.out
