"""Hypothesis without a deadline, as how long an example takes depends on what else runs; and a
finished study that trains nothing.
"""

from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import settings

from neptune_nas.search import Search
from tests.study.fakes import arithmetic_search

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    return arithmetic_search(tmp_path_factory.mktemp("studies")).run().folder


@pytest.fixture
def searched(finished: Path, tmp_path: Path) -> Search:
    """The search that made a copy of it, which is to be changed at will."""
    copytree(finished, tmp_path / finished.name)
    return arithmetic_search(tmp_path)
