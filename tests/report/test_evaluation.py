import base64
import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from neptune_nas.data.images import Split
from neptune_nas.data.labelled_images import LabelledImages
from neptune_nas.report.evaluation import (
    evaluation_json,
    interval_text,
    render_evaluation,
    score_text,
    write_evaluation,
)
from neptune_nas.tasks.evaluation import Evaluation
from neptune_nas.tasks.registry import TASKS
from tests.data.folders import write_picture
from tests.report.reading import visible

TASK = TASKS["classification"]
EVIL = '<img src=x onerror="alert(1)">\x1b[31m\u202e{{ 7 * 7 }}'
LABELS = ("cat", EVIL, "owl")


def evaluated(labels: tuple[str, ...] = LABELS, count: int = 40) -> tuple[Evaluation, Split]:
    """Return an evaluation of `count` images of all labels but the last, and the images."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 3, 8, 8), generator=generator).byte()
    targets = torch.arange(count) % (len(labels) - 1)
    outputs = torch.randn((count, len(labels)), generator=generator)
    outputs += 2 * torch.nn.functional.one_hot(targets, len(labels))
    meter = TASK.meter()
    meter.update(outputs, targets)
    found = TASK.evaluate(TASK.predict(outputs), targets, labels, meter.result())
    return found, Split(images, targets)


FOUND, SPLIT = evaluated()
IMAGES = LabelledImages("folder:<b>pets", "test", SPLIT, notes=("Left out: <i>a.txt\x1b.",))


@pytest.fixture(scope="module")
def page() -> str:
    return render_evaluation(f"m {EVIL}", FOUND, IMAGES)


def test_the_score_is_said_with_its_interval() -> None:
    low, high = FOUND.interval
    assert score_text(FOUND) == f"accuracy {FOUND.main[1]:.4f}, {interval_text(FOUND.interval)}"
    assert interval_text((low, high)) == f"95% interval {low:.4f} to {high:.4f}"


def test_the_page_has_the_score_the_classes_and_what_was_not_measured(page: str) -> None:
    text = visible(page)
    assert f"{FOUND.main[1]:.4f} <small>accuracy, {interval_text(FOUND.interval)}</small>" in text
    assert "On 40 images: the test split of folder:&lt;b&gt;pets. Chance, the score of the" in text
    assert "Left out: &lt;i&gt;a.txt\\x1b." in text
    assert "1 of 3 classes has no image here, so it is not measured: owl." in text
    recall = FOUND.classes[0].shares["recall"]
    assert f'<th class="text long" scope="row">cat</th><td>{recall:.4f}</td>' in text
    assert re.search(r'scope="row">owl</th><td>-</td><td>[\d.]+</td><td>0</td>', text)


def test_hostile_names_are_text_on_the_page(page: str) -> None:
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;\\x1b[31m\\u202e{{ 7 * 7 }}" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", page)


def test_the_matrix_has_a_cell_a_pair_shaded_by_its_share_of_the_row(page: str) -> None:
    cells = re.findall(r'<td( class="right")? style="--share: ([\d.]+)">([\d,]*)</td>', page)
    assert len(cells) == 9
    assert [bool(right) for right, _, _ in cells] == [True, *[False] * 3] * 2 + [True]
    counts = [int(text or 0) for _, _, text in cells]
    assert counts == [FOUND.confusion.get(divmod(i, 3), 0) for i in range(9)]
    assert float(cells[0][1]) == pytest.approx(counts[0] / sum(counts[:3]), abs=1e-3)


def test_many_classes_are_a_list_of_pairs() -> None:
    found, split = evaluated(tuple(f"class {i}" for i in range(31)), 300)
    page = render_evaluation("m", found, LabelledImages("x", "all", split))
    label, predicted, count = found.confused[0]
    assert "--share:" not in visible(page)
    assert f'<td class="text long">{predicted}</td><td>{count}</td>' in page
    assert f'<td class="text long">{label}</td>' in page


def sources(page: str) -> list[str]:
    return re.findall(r'src="(data:image/[a-z]+;base64,[^"]+)"', page)


def opened(source: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(source.partition(",")[2])))


def test_images_without_files_are_shown_as_the_network_sees_them(page: str) -> None:
    (first, *_) = found = sources(page)
    assert len(found) == min(12, len(FOUND.mistakes))
    pixels = torch.tensor([*opened(first).convert("RGB").tobytes()]).view(8, 8, 3)
    assert torch.equal(pixels.permute(2, 0, 1).byte(), SPLIT.images[FOUND.mistakes[0].row])
    assert f"image {FOUND.mistakes[0].row:,}</small>" in page


def test_images_with_files_are_shown_from_them_scaled_down_and_upright(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.jpg" for i in range(40)]
    turned = Image.Exif()
    turned[0x0112] = 6
    worst, second = (each.row for each in FOUND.mistakes[:2])
    for file in files:
        write_picture(file, (800, 200), exif=turned)
    files[second].unlink()
    page = render_evaluation("m", FOUND, replace(IMAGES, files=tuple(files)))
    first, gone, *_ = sources(page)
    assert opened(first).size == (48, 192)
    assert first.startswith("data:image/jpeg")
    assert opened(gone).size == (8, 8)
    assert f"{files[worst]}</small>" in page


def test_a_page_without_mistakes_or_without_pictures_says_so() -> None:
    right = TASK.evaluate(torch.eye(3)[SPLIT.targets], SPLIT.targets, LABELS, {"accuracy": 1.0})
    assert "There are none: every image is predicted" in render_evaluation("m", right, IMAGES)
    few = render_evaluation("m", FOUND, IMAGES, worst=0)
    assert f"None of {len(FOUND.mistakes)} wrong predictions is shown." in few
    assert sources(few) == []


def test_the_page_loads_nothing_and_is_small(page: str) -> None:
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!#|data:)', visible(page))
    assert len(page) < 60_000


def test_the_json_has_every_number() -> None:
    text = evaluation_json("m", FOUND, IMAGES, worst=2)
    found = json.loads(text)
    assert (found["format"], found["version"]) == ("neptune-nas/evaluation", 1)
    assert (found["model"], found["data"], found["split"]) == ("m", IMAGES.name, "test")
    assert (found["images"], found["accuracy"]) == (40, FOUND.main[1])
    assert (found["interval"], found["chance"]) == ([*FOUND.interval], FOUND.chance)
    assert [each["label"] for each in found["classes"]] == [*LABELS]
    assert found["classes"][2] == {
        "label": "owl",
        "images": 0,
        "recall": None,
        "precision": FOUND.classes[2].shares["precision"],
    }
    assert sum(each["images"] for each in found["confusion"]) == 40
    assert [each["image"] for each in found["worst"]] == [m.row for m in FOUND.mistakes[:2]]
    assert len(found["notes"]) == 2
    assert "\u202e" not in text


def test_names_that_are_not_utf8_are_written(tmp_path: Path) -> None:
    files = tuple(tmp_path / f"caf\udce9{i}.png" for i in range(40))
    for file in files:
        write_picture(file)
    write_evaluation(
        tmp_path / "a.html", tmp_path / "a.json", "m", FOUND, replace(IMAGES, files=files)
    )
    worst = json.loads((tmp_path / "a.json").read_text())["worst"]
    assert worst[0]["image"] == str(files[FOUND.mistakes[0].row])
    assert r"caf\xe9" in (tmp_path / "a.html").read_text()
