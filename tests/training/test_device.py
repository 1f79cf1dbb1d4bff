import torch

from neptune_nas.training.device import send


def test_what_is_on_the_device_already_stays_where_it_is() -> None:
    tensor = torch.arange(3)
    assert send(tensor, torch.device("cpu")) is tensor


def test_a_tensor_is_sent_to_another_device() -> None:
    assert send(torch.arange(3), torch.device("meta")).device.type == "meta"
