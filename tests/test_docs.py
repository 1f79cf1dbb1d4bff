"""Every ```python block of the documentation runs, in order within its file.

A block that begins with a comment such as `# my_space.py` is written to that file instead.
`knee.json`, which the commands of some pages write, is there from the start.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from neptune_nas import Architecture
from neptune_nas.metrics.counted import CostModel
from neptune_nas.models.architecture_file import ExportedArchitecture, dumps

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """Return the line and the text of each block."""
    text = page.read_text()
    for match in BLOCK.finditer(text):
        yield text.count("\n", 0, match.start(1)), match[1]


WITH_CODE = [page for page in PAGES if any(blocks(page))]


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    model = CostModel((1, 8, 8), 10)
    item = ExportedArchitecture(
        Architecture(), model.input_shape, model.classes, model.values(Architecture())
    )
    Path("knee.json").write_text(dumps(item))
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_of_a_page_runs(page: Path) -> None:
    names: dict[str, Any] = {"__name__": page.stem}
    for line, text in blocks(page):
        if match := FILE.match(text):
            Path(match[1]).write_text(text)
        else:
            # Empty lines before the block, so that a traceback shows the line of the page.
            exec(compile("\n" * line + text, str(page), "exec"), names)


NOTEBOOKS = sorted(ROOT.glob("docs/**/*.ipynb"))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_every_notebook_runs_and_is_kept_without_its_outputs(file: Path) -> None:
    content = nbformat.read(file, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in content.cells)
    client = NotebookClient(content, timeout=250, resources={"metadata": {"path": "."}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    outputs = [output for cell in content.cells for output in cell.get("outputs", ())]
    shown = {kind for output in outputs for kind in output.get("data", ())}
    assert [output.text for output in outputs if output.output_type == "stream"] == []
    assert "application/vnd.plotly.v1+json" in shown
    assert Path("studies/squeezed-digits/report.html").is_file()


def test_the_ladder_of_examples_is_among_them() -> None:
    assert ROOT / "docs" / "spaces.md" in WITH_CODE
