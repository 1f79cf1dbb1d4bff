"""The evaluation of a trained model on labelled images."""

import torch
from torch import Tensor

from neptune_nas.data.images import Split
from neptune_nas.data.training_images import TrainedOn
from neptune_nas.devices.device import autocast_for
from neptune_nas.devices.numerics import Numerics
from neptune_nas.models.model import Model
from neptune_nas.tasks.augmentation import Normalizer
from neptune_nas.tasks.evaluation import Evaluation
from neptune_nas.tasks.registry import find_task
from neptune_nas.training.feed import make_feeds
from neptune_nas.training.measure import measure

_AS_PREDICTED = Numerics("fp32")


def evaluate(
    model: Model, split: Split, device: str = "cpu", numerics: Numerics = _AS_PREDICTED
) -> Evaluation:
    """Evaluate a model on a split, whose targets are places in the model's labels, by its task.

    By default its outputs are computed as `Model.predict` computes them.
    """
    task, where = find_task(model.task), torch.device(device)
    (feed,) = make_feeds((split,), where)
    found: list[Tensor] = []
    values = measure(
        model.network().to(where),
        feed,
        task,
        Normalizer(model, where, numerics.layout),
        autocast_for(numerics.precision, where),
        watch=lambda outputs: found.append(task.condense(task.predict(outputs)).cpu()),
    )
    return task.evaluate(torch.cat(found), split.targets, model.labels, values)


def trained_on(model: Model) -> TrainedOn:
    """Return what a model knows of the images that it was trained on."""
    known = (model.provenance.get(name) for name in ("data", "data_fingerprint"))
    data, fingerprint = (value if isinstance(value, str) else None for value in known)
    return TrainedOn(model.labels, model.input_shape, data, fingerprint, model.task)
