"""The setup of all tests, and their shared fixtures.

Hypothesis has no deadline, since how long an example takes depends on what else runs. Folders of
tests are in memory, where nothing waits for a disk. Objects that last are not collected again and
again. The machine counts as probed, and Ctrl-C is heeded. Fixtures give a finished study that
trains nothing, databases, and Ray.
"""

import gc
import logging
import os
import signal
from collections.abc import Iterator
from functools import cache
from math import ceil
from multiprocessing import forkserver
from pathlib import Path
from shutil import copytree, disk_usage

import pytest
from alembic.script import ScriptDirectory
from hypothesis import settings

from neptune_nas.devices.numerics import Numerics
from neptune_nas.devices.processor import usable_cores
from neptune_nas.engine.plan import preloads
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.search.config import Search
from neptune_nas.training.probe import machine_key, write_cache
from tests.postgres import binary, new_database, server
from tests.study.fakes import arithmetic_search

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

_MEMORY = Path("/dev/shm")  # holds the folders of tests, if it is large enough
_ROOM = 2**31  # free bytes: twice what all tests write
_NEW = 20_000  # objects before a collection; Python's 700 make it a tenth of all CPU time


def pytest_configure() -> None:
    """Put the folders of tests in memory: on disk, a search of 12 trials waits for 76 syncs.

    `TMPDIR`, `PYTEST_DEBUG_TEMPROOT` and `--basetemp` still choose another place.
    """
    if "TMPDIR" in os.environ:
        return
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and disk_usage(_MEMORY).free > _ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def pytest_collection_finish() -> None:
    """Leave modules and tests, which last, out of each collection of garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW)


@pytest.hookimpl(optionalhook=True)  # where xdist is installed
def pytest_xdist_auto_num_workers() -> int | None:
    """Let `-n auto` start three workers for two cores, since tests wait for a third of the time.

    They wait for commands, signals and databases. `PYTEST_XDIST_AUTO_NUM_WORKERS` still chooses.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return ceil(1.5 * usable_cores())


@pytest.fixture(scope="session", autouse=True)
def probed_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the file that says float32 for this machine, also in commands that a test runs.

    What a probe would choose may differ from one run of the tests to the next. The register of
    studies, in the user's data folder, is the tests' own too.
    """
    cache = tmp_path_factory.mktemp("cache")
    file = cache / "neptune-nas" / "numerics.json"
    write_cache(file, {machine_key(): Numerics("fp32")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield file


@pytest.fixture(scope="session", autouse=True)
def fork_server() -> Iterator[None]:
    """Let the server of workers import what training needs, whichever test starts it first.

    It lasts for all tests of a process, and each worker would import that again.
    """
    needed, of_a_search = preloads(ShortTraining()), forkserver.set_forkserver_preload
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            forkserver,
            "set_forkserver_preload",
            lambda modules: of_a_search([*modules, *needed]),
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def migrations() -> Iterator[None]:
    """Let Optuna read its forty migrations once, and not three times for each new database."""
    with pytest.MonkeyPatch.context() as patch:
        folder = cache(ScriptDirectory)
        patch.setattr(
            ScriptDirectory,
            "from_config",
            lambda config: folder(config.get_main_option("script_location")),
        )
        yield


@pytest.fixture
def ctrl_c_raises() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, though who runs the suite in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished study that trains nothing."""
    return arithmetic_search(tmp_path_factory.mktemp("studies")).run().folder


@pytest.fixture
def searched(finished: Path, tmp_path: Path) -> Search:
    """Return the search that made a copy of it, which is to be changed at will."""
    copytree(finished, tmp_path / finished.name)
    return arithmetic_search(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server; who uses it is in the group "postgres"."""
    if not (binary("initdb") and binary("postgres")):
        pytest.skip("PostgreSQL is not installed: initdb and postgres are missing")
    with server() as url:
        yield url


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgres"))]
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new database: an SQLite file, then one on a PostgreSQL server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'studies.db'}"
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """Ray on this machine, which takes seconds to start, and believes that it has two GPUs.

    Whoever uses it is in the group "ray", so that only one is started.
    """
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            "local",
            num_cpus=4,
            num_gpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        yield
        ray.shutdown()
