"""Exported files on the report: what each measures beside what was promised."""

from dataclasses import replace

import pytest

from neptune_nas.deploy.exported_file import ExportedFile
from neptune_nas.report.exports import CAVEAT, TITLE, export_heads, export_rows
from neptune_nas.report.page import render
from neptune_nas.report.tables import ranking_text
from neptune_nas.study.exports import Export
from neptune_nas.study.study import Study
from tests.report.fixtures import plain_results, plain_trial

FILE = ExportedFile(
    file="/home/ada/net.tflite",
    key="0" * 16,
    form="tflite",
    precision="int8",
    runtime="tflite-micro",
    trained=True,
    size=20_480,
    images=360,
    difference=0,
    measured={"int8_accuracy": 0.9, "ram": 16_384, "flash": 20_480},
    promised={"int8_accuracy": 0.91, "ram": 16_384},
)


@pytest.fixture
def study() -> Study:
    return replace(plain_results(plain_trial(2, 0.9, 1_000)), exports=(Export(2, FILE),))


def test_each_metric_of_a_file_stands_above_what_was_promised(study: Study) -> None:
    assert export_heads(study)[3:] == (
        "int8 accuracy\npromised",
        "RAM\npromised",
        "flash\npromised",
    )
    (cells,) = export_rows(study)
    assert cells == (
        "net.tflite (int8)",
        "2",
        "tflite-micro",
        "0.9000\n0.9100, 360 images",
        "16 KiB\n16 KiB",
        "20 KiB\nnot promised",
    )


def test_a_file_without_a_measure_and_an_untrained_one_say_so(study: Study) -> None:
    other = replace(FILE, measured={"flash": 512}, trained=False, precision="float32")
    *_, cells = export_rows(replace(study, exports=(*study.exports, Export(1, other))))
    assert cells[0] == "net.tflite (float32, untrained)"
    assert cells[3:] == ("-", "-", "512 bytes\nnot promised")


def test_page_and_markdown_show_them_where_there_are_any(study: Study) -> None:
    for text in (render([study]), ranking_text(study, "md")):
        assert TITLE in text
        assert "net.tflite (int8)" in text
        assert CAVEAT[:40] in text
    assert TITLE not in render([replace(study, exports=())])
    assert TITLE not in ranking_text(replace(study, exports=()), "md")
