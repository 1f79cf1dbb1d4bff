"""Searches in the kernel of a notebook, whose cells define what they search and measure with."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from neptune_nas.architecture.fields import UnknownRecord
from neptune_nas.study.read import read_study

ROOT = Path(__file__).parents[2]
WAIT = 120  # seconds
DEFINE = """
from dataclasses import dataclass
from torch import nn
from neptune_nas import Architecture, Conv, Score, Search, Space, Stage, Stem, choice, read_study

@dataclass(frozen=True)
class Gate:
    size: int = 3

    def build(self, width):
        return nn.Conv2d(width, width, self.size, padding="same")

SPACE = Space("gated", Architecture(stem=Stem(width=8), stages=(
    Stage(width=choice(*range(8, 80, 4)), substages=(choice(Conv(), Gate()),)),
)))

@dataclass(frozen=True)
class Gates:
    share: float = 0.5

    def __call__(self, architecture, fidelity, seed):
        gated = isinstance(architecture.stages[0].substages[0], Gate)
        assert architecture.stages[0].substages[0] in (Conv(), Gate())
        width = architecture.stages[0].width / 200
        return Score(fidelity, {"accuracy": self.share * gated + width, "loss": 0.0}, seed)

def search(name, **changes):
    asked = {"trials": 4, "evaluator": Gates(), "rungs": (1,), "jobs": 1, **changes}
    return Search(SPACE, name=name, **asked)
"""


class Kernel:
    """A kernel, in a folder of its own."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, folder: Path) -> None:
        self.manager, self.client, self.folder = manager, client, folder
        self.shown: dict[str, dict[str, str]] = {}  # what is updated in place, by its id
        self.printed = ""
        self.result: dict[str, str] = {}

    def run(self, text: str) -> str:
        """Run a cell, and return how it ended: "ok", or the error's name and message."""
        self.shown, self.printed, self.result = {}, "", {}
        reply: Any = self.client.execute_interactive(text, timeout=WAIT, output_hook=self._take)
        content = reply["content"]
        return "ok" if content["status"] == "ok" else f"{content['ename']}: {content['evalue']}"

    def _take(self, message: Any) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind in ("display_data", "update_display_data"):
            self.shown[content["transient"].get("display_id", "")] = content["data"]
        elif kind == "stream":
            self.printed += content["text"]
        elif kind == "execute_result":
            self.result = content["data"]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("notebook")
    manager, client = start_new_kernel(
        cwd=str(folder), env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    )
    kernel = Kernel(manager, client, folder)
    assert kernel.run(DEFINE) == "ok"
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def defined(kernel: Kernel) -> Kernel:
    """Return the kernel, with everything defined as at first."""
    assert kernel.run(DEFINE) == "ok"
    return kernel


def test_what_a_cell_defines_is_searched_and_measured_with(defined: Kernel) -> None:
    assert defined.run("study = search('own', trials=12).run()") == "ok"
    cell = """
records = [trial.architecture.stages[0].substages[0] for trial in study.trials]
assert any(isinstance(each, Gate) for each in records)
good = {isinstance(each, Gate): trial.score.main for each, trial in zip(records, study.trials)}
assert good[True] > 0.5 > good[False]
"""
    assert defined.run(cell) == "ok"


def test_a_block_of_a_cell_is_trained(defined: Kernel) -> None:
    cell = "assert len(search('trained', trials=2, evaluator=None).run().ranked) == 2"
    assert defined.run(cell) == "ok"


def test_a_whole_network_of_a_cell_is_trained(defined: Kernel) -> None:
    cell = """
@dataclass(frozen=True)
class Plain:
    width: int = 4

    def build(self, input_shape, outputs):
        layers = nn.Conv2d(input_shape[0], self.width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        return nn.Sequential(*layers, nn.Linear(self.width, outputs))

space = Space("plain", Plain(choice(4, 8)))
assert len(Search(space, trials=2, rungs=(1,), jobs=1).run().ranked) == 2
"""
    assert defined.run(cell) == "ok"


def test_a_sampler_of_a_cell_proposes(defined: Kernel) -> None:
    cell = """
class Widest:
    def __init__(self, problem):
        self.space = problem.space

    def __call__(self, history, rng):
        return max((self.space.sample(rng) for _ in range(99)), key=lambda a: a.stages[0].width)

study = search("widest", sampler="__main__:Widest", trials=2).run()
assert {trial.architecture.stages[0].width for trial in study.trials} == {76}
"""
    assert defined.run(cell) == "ok"


def test_progress_shows_in_the_cell(defined: Kernel) -> None:
    assert defined.run("study = search('shown').run()") == "ok"
    (shown,) = defined.shown.values()
    assert re.search(r"4/4 trials, best accuracy 0\.\d+, hypervolume", shown["text/plain"])
    assert '<progress value="4" max="4"></progress> 4/4 trials' in shown["text/html"]
    assert defined.printed == ""


def test_notes_show_above_the_bar_and_names_are_escaped(defined: Kernel) -> None:
    assert defined.run("search('noted').run(); study = search('noted', trials=2).run()") == "ok"
    *notes, line = [*defined.shown.values()][-1]["text/plain"].splitlines()
    assert notes[-1].startswith("The study already has 4 trials")  # others say what was slow
    assert line == "starting in studies/noted"


def test_measuring_more_and_training_show_their_progress(defined: Kernel) -> None:
    cell = """
from neptune_nas import Goal, Training, run_confirm
asked = search("more")
asked.run(print)
run_confirm(asked, Goal(seeds=2), evaluations=3)
"""
    assert defined.run(cell) == "ok"
    (shown,) = defined.shown.values()
    assert re.search(r"trial \d: accuracy .*; 3 of 3 eval", shown["text/plain"])
    assert defined.run("Training('resnet8', data='digits', epochs=1, seeds=1).run()") == "ok"
    (shown,) = defined.shown.values()
    assert "\nseed 0 (1 of 1), epoch 1/1: accuracy " in shown["text/plain"]


def test_who_watches_sees_to_it_alone(defined: Kernel) -> None:
    assert defined.run("study = search('watched').run(lambda p: print(p.done))") == "ok"
    assert (defined.shown, defined.printed) == ({}, "1\n2\n3\n4\n")


def test_a_study_shows_as_a_page_and_its_figures_as_plotlys(defined: Kernel) -> None:
    assert defined.run("study = search('page').run()\nstudy") == "ok"
    page = defined.result["text/html"]
    assert "<h4>The front</h4>" in page
    assert '<a href="studies/page/report.html"' in page
    assert defined.run("study.plot('pareto')") == "ok"
    assert any(each.startswith("application/vnd.plotly") for each in defined.shown[""])
    assert "did you mean 'pareto'" in defined.run("study.plot('pareta')")
    ended = defined.run("import neptune_nas\nneptune_nas.plot('rungs', [study], nbformat=False)")
    assert re.match(
        r"NeptuneError: .* needs nbformat, .*: pip install 'neptune-nas.notebook.'", ended
    )


def test_a_study_refuses_to_go_on_with_another_definition(defined: Kernel) -> None:
    assert defined.run("study = search('changed').run()") == "ok"
    assert defined.run(DEFINE) == "ok"
    assert defined.run("assert len(search('changed', trials=5).run().trials) == 5") == "ok"
    other = DEFINE.replace("self.size, padding", "self.size, groups=1, padding")
    assert defined.run(other) == "ok"
    for cell in (
        "search('changed', trials=6).run()",
        "from neptune_nas import run_confirm\nrun_confirm(search('changed'))",
    ):
        assert re.match(
            r"StudyError: study studies.changed was started with code of `?Gate", defined.run(cell)
        )
    assert defined.run("assert len(search('other').run().trials) == 4") == "ok"
    assert defined.run(DEFINE.replace("width / 200", "width / 201")) == "ok"
    assert "code of `Gates`" in defined.run("search('changed', trials=6).run()")


def test_a_study_is_read_with_the_class_that_it_began_with(defined: Kernel) -> None:
    assert defined.run("study = search('read', trials=9).run()") == "ok"
    cell = "assert read_study('studies/read').trials == study.trials"
    assert defined.run(cell) == "ok"
    assert defined.run(DEFINE.replace("padding=", "bias=False, padding=")) == "ok"
    cell = """
from neptune_nas.architecture.fields import UnknownRecord
parts = [each.architecture.stages[0].substages[0] for each in read_study('studies/read').trials]
assert {type(each) for each in parts} == {Conv, UnknownRecord}
"""
    assert defined.run(cell) == "ok"


def test_a_study_from_a_notebook_is_data_to_anybody_else(defined: Kernel) -> None:
    assert defined.run("study = search('elsewhere', trials=9).run()") == "ok"
    study = read_study(defined.folder / "studies" / "elsewhere")
    assert {*study.settings.facts.code} == {"__main__:Gate", "__main__:Gates"}
    parts = [trial.architecture.stages[0].substages[0] for trial in study.trials]
    assert any(isinstance(each, UnknownRecord) for each in parts)


def test_what_cannot_be_sent_is_refused_in_a_sentence(defined: Kernel) -> None:
    cell = """
import threading
LOCK = threading.Lock()

def measure(architecture, fidelity, seed):
    with LOCK:
        return Gates()(architecture, fidelity, seed)

search("locked", evaluator=measure).run()
"""
    ended = defined.run(cell)
    assert re.match(r"NeptuneError: the evaluator must be picklable .* keep locks, ", ended)


def test_an_interrupt_ends_the_search_and_the_cell_resumes_it(defined: Kernel) -> None:
    cell = """
import time

def slow(architecture, fidelity, seed):
    time.sleep(0.3)
    return Gates()(architecture, fidelity, seed)

study = search("stopped", evaluator=slow, trials=30, jobs=2).run()
"""
    client, folder = defined.client, defined.folder / "studies" / "stopped"
    sent = client.execute(cell)
    until = monotonic() + WAIT
    while not (folder / "study.toml").is_file() or not read_study(folder).ranked:
        assert monotonic() < until
        sleep(0.2)
    defined.manager.interrupt_kernel()
    while (reply := client.get_shell_msg(timeout=WAIT))["parent_header"].get("msg_id") != sent:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert 0 < len(read_study(folder).ranked) < 30
    assert (folder / "report.html").is_file()
    assert defined.run(cell) == "ok"
    assert len(read_study(folder).ranked) == 30
