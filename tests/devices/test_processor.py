from pathlib import Path

import torch

from neptune_nas.devices.processor import cpu_name, torch_threads


def test_a_processor_is_named_by_the_system(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU: 4 GHz\nmodel name\t: Other\n")
    assert cpu_name(info) == "Some CPU: 4 GHz"
    assert cpu_name(tmp_path / "none") != "Some CPU: 4 GHz"


def test_threads_are_as_they_were_afterwards() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    with torch_threads(None):
        assert torch.get_num_threads() == before
