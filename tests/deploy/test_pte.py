"""ExecuTorch is a large wheel, which the development extra leaves out.

Where it is missing, the tests hold what is then said: the extra that has it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from neptune_nas.deploy.export import export
from neptune_nas.deploy.formats import Precision, file_kind
from neptune_nas.deploy.pte import to_pte
from neptune_nas.deploy.runtimes import open_file
from neptune_nas.errors import NeptuneError
from tests.deploy.builders import ARCHITECTURE, SHAPE, pictures
from tests.models.export.forms import random_model, run

MODEL = random_model(ARCHITECTURE, SHAPE)


@contextmanager
def executorch_or_its_extra() -> Iterator[None]:
    if find_spec("executorch") is not None:
        yield
        return
    with pytest.raises(NeptuneError, match=r"needs executorch, .*'neptune-nas\[executorch\]'"):
        yield


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_file_agrees_with_its_network(precision: Precision) -> None:
    images, wanted = pictures(8), run(MODEL.classifier(), pictures(8))
    batches = [images] if precision == "int8" else None
    near = 1e-4 if batches is None else 0.1 * wanted.abs().max().item()
    with executorch_or_its_extra():
        content = to_pte(MODEL, batches)
        found = open_file(content, "executorch").predict(images)
        torch.testing.assert_close(found, wanted, atol=near, rtol=0)
        assert b"neptune_nas" not in content


def test_a_float_file_is_written_and_measured(tmp_path: Path) -> None:
    with executorch_or_its_extra():
        files, record = export(MODEL, file_kind("pte"), tmp_path / "net.pte")
        assert [file.name for file in files] == ["net.pte", "net.json"]
        assert record is not None
        assert (record.runtime, record.size) == ("executorch", files[0].stat().st_size)
