"""What comes from elsewhere is data: no command runs the code that it names, unless it is asked to.

Each file of code here writes `ran` into the folder of the test when it runs.
"""

from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from PIL import Image
from typer.main import get_command

from neptune_nas.cli.app import app
from neptune_nas.models.architecture_file import load, save
from neptune_nas.models.model import make_untrained, save_model
from neptune_nas.search.config import Search
from neptune_nas.space.locate import find_module, records_of
from tests.cli.run import Outcome, assert_one_sentence, neptune
from tests.retrain.builders import NETWORK
from tests.study.edits import edit_study

MARK = "from pathlib import Path; Path({ran!r}).touch()\n"
SPACE = """
from dataclasses import dataclass
from torch import nn
from neptune_nas import Architecture, Space, Stage, choice

@dataclass(frozen=True)
class Scale:
    size: int = 1

    def build(self, width):
        return nn.Conv2d(width, width, self.size, groups=width)

STAGE = Stage(width=choice(*range(4, 40, 4)), substages=(Scale(),))
SPACE = Space("own", Architecture(stages=(STAGE,)))
"""
SAMPLER = """
class Mine:
    def __init__(self, problem):
        self.space = problem.space

    def __call__(self, history, rng):
        return self.space.sample(rng)
"""

Arguments = tuple[str, ...]
ONCE = ("--epochs", "1", "--seeds", "1", "--threads", "1", "-q", "-o", "trained")
COMMANDS: dict[str, Arguments] = {
    "audit": ("STUDY", "--dry-run"),
    "baseline": ("STUDY", "--dry-run"),
    "compare": ("STUDY", "STUDY"),
    "confirm": ("STUDY", "--dry-run"),
    "diff": ("NETWORK", "NETWORK"),
    "draw": ("NETWORK", "-o", "drawn.svg"),
    "evaluate": ("MODEL", "folder:labelled"),
    "export": ("STUDY", "-o", "exported.json"),
    "plot": ("pareto", "STUDY", "-o", "front.html"),
    "predict": ("MODEL", "IMAGE"),
    "profile": ("NETWORK",),
    "reference": ("STUDY", "--dry-run"),
    "report": ("STUDY",),
    "search": ("--config", "STUDY/study.toml", "--out", "new", "--dry-run"),
    "show": ("NETWORK",),
    "space list": (),
    "space neighbors": ("tiny", "NETWORK"),
    "space sample": ("tiny",),
    "space show": ("tiny",),
    "space size": ("tiny",),
    "space validate": ("tiny", "--json", "NETWORK"),
    "status": ("STUDY",),
    "targets": (),
    "train": ("STUDY", *ONCE),
    "watch": ("STUDY",),
}
"""Every command of the app, with arguments that read what is foreign wherever it takes a file."""
FURTHER: tuple[tuple[str, Arguments], ...] = (
    ("export", ("STUDY", "--format", "onnx", "-o", "exported.onnx")),
    ("export", ("STUDY", "--format", "pt2", "-o", "exported.pt2")),
    ("export", ("MODEL", "--format", "python", "-o", "exported.py")),
    ("export", ("NETWORK",)),
    ("report", ("STUDY", "STUDY", "--format", "csv", "--force")),
    ("search", ("--space", "tiny", "--first", "STUDY", "--out", "new", "--dry-run")),
    ("search", ("--space", "tiny", "--first", "NETWORK", "--out", "new", "--dry-run")),
    ("search", ("--space", "tiny", "--out", ".", "--study-name", "STUDY", "--dry-run")),
    ("train", ("MODEL", "--data", "digits", *ONCE)),
    ("train", ("NETWORK", *ONCE)),
)
EVERY = [*COMMANDS.items(), *FURTHER]
BUILDING = {
    "audit": ("audit", COMMANDS["audit"]),
    "baseline": ("baseline", COMMANDS["baseline"]),
    "confirm": ("confirm", COMMANDS["confirm"]),
    "evaluate": ("evaluate", COMMANDS["evaluate"]),
    "export": FURTHER[1],
    "predict": ("predict", COMMANDS["predict"]),
    "profile": ("profile", COMMANDS["profile"]),
    "reference": ("reference", COMMANDS["reference"]),
    "train": ("train", COMMANDS["train"]),
    "train a file": FURTHER[9],
    "train a model": FURTHER[8],
}
"""Commands that need the class of a network, by a name."""


def commands_in(command: Any, name: str = "") -> Iterator[str]:
    if not hasattr(command, "commands"):
        yield name
        return
    for inner in command.commands.values():
        yield from commands_in(inner, f"{name} {inner.name}".strip())


def test_every_command_is_tried_here() -> None:
    assert set(COMMANDS) == {*commands_in(get_command(app))}


def own_record(home: Path) -> type:
    return next(cls for cls in records_of(find_module(str(home / "my_space.py"))))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder where somebody searched a space and with a sampler of their own."""
    home = tmp_path_factory.mktemp("home")
    (home / "my_space.py").write_text(SPACE)
    (home / "my_sampler.py").write_text(SAMPLER)
    with chdir(home):
        own = Search(space="my_space.py", sampler="my_sampler.py:Mine", name="theirs", out=".")
        replace(own, trials=4, rungs=(1,), jobs=1, threads=1).run()
    study = home / "theirs"
    item = load(study / "best.json", (own_record(home),))
    save_model(home / "model.safetensors", make_untrained(item))
    return home


@pytest.fixture
def foreign(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the study in a folder that was unpacked here, with code that leaves a mark."""
    monkeypatch.chdir(tmp_path)
    mark = MARK.format(ran=str(tmp_path / "ran"))
    Path("my_space.py").write_text(mark + SPACE)
    Path("my_sampler.py").write_text(mark + SAMPLER)
    Path("my_module").mkdir()
    Path("my_module", "__init__.py").write_text(mark)
    Path("my_module", "inner.py").write_text(SPACE)
    monkeypatch.syspath_prepend(tmp_path)
    Path("model.safetensors").write_bytes((home / "model.safetensors").read_bytes())
    Image.new("L", (8, 8), 120).save("gray.png")
    Path("labelled", "0").mkdir(parents=True)
    Image.new("L", (8, 8), 120).save("labelled/0/gray.png")
    study = copytree(home / "theirs", tmp_path / "theirs")
    Path("best.json").write_bytes((study / "best.json").read_bytes())
    return study


PLACES = {
    "STUDY": "theirs",
    "NETWORK": "best.json",
    "MODEL": "model.safetensors",
    "IMAGE": "gray.png",
}


def run(command: str, arguments: Arguments, *more: object) -> Outcome:
    words = list(arguments)
    for name, path in PLACES.items():
        words = [word.replace(name, path) for word in words]
    return neptune(*command.split(), *words, *more)


every = pytest.mark.parametrize(
    ("command", "arguments"), EVERY, ids=[" ".join((name, *words)) for name, words in EVERY]
)


@every
@pytest.mark.usefixtures("foreign")
def test_no_command_runs_the_code_of_a_study(command: str, arguments: Arguments) -> None:
    outcome = run(command, arguments)
    assert not Path("ran").exists()
    assert outcome.code in (0, 2)
    if outcome.code == 2:
        assert_one_sentence(outcome)


NAMED = (
    ("{here}/my_space.py", "{here}/my_sampler.py:Mine"),
    ("my_space:SPACE", "my_sampler:Mine"),
    ("my_module:SPACE", "my_module:Mine"),
    ("my_module.inner:SPACE", "my_module.inner:Mine"),
)
"""Other ways to name the same space and sampler, or a module in a package that leaves the mark."""
KINDS = ("audit", "search", "status", "train")  # each finds the code of a study in its own way


@pytest.mark.parametrize(("space", "sampler"), NAMED)
def test_no_command_runs_what_a_study_names_in_another_way(
    foreign: Path, space: str, sampler: str
) -> None:
    names = (("my_space.py", space), ("my_sampler.py:Mine", sampler))
    here = Path.cwd()
    edit_study(foreign, *((f'"{old}"', f'"{new.format(here=here)}"') for old, new in names))
    for command in KINDS:
        assert run(command, COMMANDS[command]).code == (0 if command == "status" else 2)
        assert not Path("ran").exists(), command


@pytest.mark.usefixtures("foreign")
def test_a_search_asks_for_the_code_that_a_config_names() -> None:
    asked = ("search", "--config", "theirs/study.toml", "--out", "new", "--dry-run")
    assert_one_sentence(neptune(*asked), "`space` is 'my_space.py'", "--space")
    named = (*asked, "--space", "my_space.py")
    assert_one_sentence(neptune(*named), "`sampler` is 'my_sampler.py:Mine'", "--sampler")
    assert not Path("ran").exists()
    outcome = neptune(*named, "--sampler", "my_sampler.py:Mine")
    assert outcome.code == 0, outcome
    assert Path("ran").exists()


building = pytest.mark.parametrize(("command", "arguments"), BUILDING.values(), ids=BUILDING)


@building
@pytest.mark.usefixtures("foreign")
def test_what_builds_networks_asks_for_their_code(command: str, arguments: Arguments) -> None:
    assert_one_sentence(run(command, arguments), "--allow")


@building
@pytest.mark.usefixtures("foreign")
def test_what_builds_networks_runs_the_code_that_is_allowed(
    command: str, arguments: Arguments
) -> None:
    outcome = run(command, arguments, "--allow", "my_space.py")
    assert outcome.code == 0, outcome
    assert Path("ran").exists()


def test_what_is_read_is_whole(foreign: Path, home: Path) -> None:
    assert neptune("export", foreign, "-o", "exported.json").code == 0
    assert Path("exported.json").read_bytes() == (home / "theirs" / "best.json").read_bytes()
    for name, command in (("shown", "show"), ("drawn", "draw")):
        outcome = neptune(command, "best.json")
        assert outcome.code == 0, name
        assert "Scale, size 1" in outcome.out
    assert neptune("report", foreign).code == 0
    assert "Scale, size 1" in (foreign / "report.html").read_text()
    table = neptune("report", foreign, "--format", "csv").out
    assert "Scale(size=1)" in table
    save("other.json", NETWORK)
    assert "stages.0.substages.0.size" in neptune("diff", "best.json", "other.json").out


def test_a_copy_of_the_code_of_a_space_is_there_to_be_read(home: Path) -> None:
    assert (home / "theirs" / "space.py.txt").read_text() == SPACE


OWN = [pair for name, pair in BUILDING.items() if "STUDY" in pair[1]] + [
    ("search", ("--config", "STUDY/study.toml", "--dry-run"))
]
own = pytest.mark.parametrize(("command", "arguments"), OWN, ids=[name for name, _ in OWN])


@pytest.fixture
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the study where it was begun, seen from the folder where that was done."""
    monkeypatch.chdir(home)
    return home / "theirs"


@own
@pytest.mark.usefixtures("at_home")
def test_who_began_a_study_need_not_allow_its_code(command: str, arguments: Arguments) -> None:
    outcome = run(command, arguments)
    assert outcome.code == 0, outcome


@own
@pytest.mark.usefixtures("at_home")
def test_a_space_that_was_edited_since_asks(command: str, arguments: Arguments) -> None:
    space = Path("my_space.py")
    space.write_text(f"# Edited.{SPACE}")
    assert_one_sentence(run(command, arguments), "--allow")
    space.write_text(SPACE)


@own
def test_a_study_that_was_moved_asks(at_home: Path, command: str, arguments: Arguments) -> None:
    moved = at_home.rename("moved")
    words = tuple(word.replace("STUDY", "moved") for word in arguments)
    assert_one_sentence(run(command, words), "--allow")
    moved.rename(at_home)


@pytest.mark.usefixtures("at_home")
def test_a_search_goes_on_by_the_code_that_its_command_names() -> None:
    space = Path("my_space.py")
    space.write_text(f"# Edited.{SPACE}")
    named = ("--space", "my_space.py", "--sampler", "my_sampler.py:Mine", "--study-name", "theirs")
    few = ("--trials", 5, "--epochs", 1, "--jobs", 1, "-q")
    outcome = neptune("search", *named, "--out", ".", *few)
    assert outcome.code == 0, outcome
    assert run("audit", COMMANDS["audit"]).code == 0
    space.write_text(SPACE)
