"""A training that is over, made once, and a copy of it for whoever changes something."""

from pathlib import Path
from shutil import copytree

import pytest

from tests.retrain.builders import asked


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished one."""
    out = tmp_path_factory.mktemp("trained") / "x"
    asked(out).run()
    return out


@pytest.fixture
def done(made: Path, tmp_path: Path) -> Path:
    """Return the finished one, to be changed at will."""
    return copytree(made, tmp_path / "x")
