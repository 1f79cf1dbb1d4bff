"""The description that goes into exported files of any format."""

import json
from typing import Any

from neptune_nas.architecture.dense_heads import DETECTION, SEGMENTATION
from neptune_nas.models.model import Model

INPUT, OUTPUT, BATCH = "images", "logits", "batch"
_LOGITS = {
    SEGMENTATION: "one logit a label and pixel, NCHW",
    DETECTION: "points: x, y, distances to left, top, right and bottom, in pixels of the image, "
    "and one logit a label; boxes overlap until non-maximum suppression",
}
COLOURS = {1: "gray", 3: "RGB"}


def facts(model: Model) -> dict[str, Any]:
    """Return labels, preprocessing and provenance of a model, as a JSON object."""
    channels, height, width = model.input_shape
    logits = _LOGITS.get(model.task, "one logit a label")
    return {
        "labels": list(model.labels),
        "input": {
            "name": INPUT,
            "values": "float32 in 0..1; they are normalised inside",
            "layout": "NCHW",
            "channels": COLOURS.get(channels, channels),
            "height": height,
            "width": width,
        },
        "output": {"name": OUTPUT, "values": f"{logits}; softmax makes probabilities"},
        "mean": list(model.mean),
        "std": list(model.std),
        "key": model.key,
        "metrics": dict(model.metrics),
        "provenance": dict(model.provenance),
    }


def facts_text(model: Model) -> str:
    """Return labels, preprocessing and provenance of a model, as JSON text."""
    return json.dumps(facts(model))
