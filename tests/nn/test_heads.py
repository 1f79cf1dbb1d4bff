import torch
from torch import nn

from neptune_nas.nn.heads import ClassificationHead, StemBlock
from tests.nn.contract import WIDTH, HeadContract


class TestPlainHead(HeadContract):
    def make(self) -> nn.Module:
        return ClassificationHead(WIDTH, self.classes)


class TestHeadWithDropout(HeadContract):
    modes_differ = True

    def make(self) -> nn.Module:
        return ClassificationHead(WIDTH, self.classes, dropout=0.5)


class TestWideHead(HeadContract):
    modes_differ = True  # batch norm

    def make(self) -> nn.Module:
        return ClassificationHead(WIDTH, self.classes, width=12)


def test_a_stem_gives_no_negative_values() -> None:
    assert StemBlock(3, 8, stride=2)(torch.randn(2, 3, 7, 7)).min() == 0
