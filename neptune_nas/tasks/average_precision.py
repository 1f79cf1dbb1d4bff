"""Average precision of found boxes, as COCO defines it (arXiv 1405.0312), by faster-coco-eval."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from neptune_nas.tasks.boxes import exist

IOUS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
"""The overlaps from which a box counts as found."""


def average_precisions(found: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return the average precision of each class at each of `IOUS`, `(10, classes)`.

    `found` `(N, K, 6)`: box, class and probability; `targets` `(N, M, 5)`, both on the host. NaN
    for a class without a target.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    labels = targets[exist(targets)][:, 4].long()
    if not len(labels) or not exist(found).any():  # which the library takes from 1.8 on
        occur = labels.bincount(minlength=classes) > 0
        return torch.zeros(len(IOUS), classes).double().masked_fill(~occur, torch.nan)
    truth = COCO(
        {
            "images": [{"id": row} for row in range(len(targets))],
            "categories": [{"id": label, "name": str(label)} for label in range(classes)],
            "annotations": [
                {**each, "area": each["bbox"][2] * each["bbox"][3], "iscrowd": 0}
                for each in _annotations(targets)
            ],
        }
    )
    evaluation = COCOeval_faster(truth, truth.loadRes(_annotations(found)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    everywhere = evaluation.eval["precision"][:, :, :, 0, -1]  # all sizes, 100 boxes an image
    precisions = torch.from_numpy(np.asarray(everywhere)).mean(1)
    return precisions.masked_fill(precisions < 0, torch.nan)  # -1 stands for no target


def _annotations(rows: Tensor) -> list[dict[str, Any]]:
    """Return boxes `(N, K, 5 or 6)` as COCO has them: left, top, width and height."""
    images = exist(rows).nonzero()[:, 0].tolist()
    found = rows[exist(rows)].tolist()
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": int(label),
            "bbox": [left, top, right - left, bottom - top],
            **({"score": rest[0]} if rest else {}),
        }
        for number, (image, (left, top, right, bottom, label, *rest)) in enumerate(
            zip(images, found, strict=True), start=1
        )
    ]
