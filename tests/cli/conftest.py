from pathlib import Path

import pytest

from neptune_nas.search.config import Search


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real study of three trials: `tiny` on digits, one epoch each."""
    out = tmp_path_factory.mktemp("studies")
    return Search(space="tiny", trials=3, rungs=(1,), out=out, jobs=1, threads=1).run().folder
