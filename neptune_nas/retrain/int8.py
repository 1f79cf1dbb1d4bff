"""The network in int8 of one seed: quantised, and trained on where that costs accuracy."""

from dataclasses import replace

from neptune_nas.deploy.fine_tuning import EPOCHS, fine_tuned
from neptune_nas.deploy.int8_accuracy import fused_graph, measure_int8, quantised_network
from neptune_nas.deploy.int8_model import with_int8
from neptune_nas.deploy.quantised_graph import QuantisedGraph
from neptune_nas.errors import OptionError
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.metrics.registry import IN_INT8, metric
from neptune_nas.models.model import save_model
from neptune_nas.retrain.folder import SeedFolder
from neptune_nas.retrain.seed import SeedJob, own_model
from neptune_nas.text import counted

_LOST = 0.005  # of the main metric, above which a network is fine-tuned
_EPOCH_SHARE = 10  # of fine-tuning: one for so many of training


def check_int8(job: SeedJob, name: str) -> None:
    """Refuse a task, or an operation, that has no int8, before a network is trained in vain."""
    if job.task.metrics[0] not in IN_INT8:
        raise OptionError(
            f"{name} cannot be trained for int8, in which {job.task.name} is not supported: leave "
            f"out `int8` (--int8)."
        )
    try:
        fused_graph(job.network.build(0), job.data)
    except UnsupportedOperationError as error:
        raise UnsupportedOperationError(
            f"{name} cannot be trained for int8: {error}; leave out `int8` (--int8), or choose "
            f"another network."
        ) from error


def add_int8(job: SeedJob, seed: int, folder: SeedFolder) -> str:
    """Add the network in int8 to a seed's model, unless it is there, and say how good it is.

    It is quantised after training. Where its main metric on the validation split is more than half
    a point below that of the float network, its weights are fine-tuned for 3 epochs, or a tenth of
    the training's if that is more, and kept if they are better. The returned sentence is empty for
    a model that has an int8 part.
    """
    model, main = own_model(job, seed, folder.model), metric(job.task.metrics[0])
    if model.int8:
        return ""
    assert job.terms.calibration is not None
    quantised = quantised_network(model.network(), job.data, job.terms.calibration)
    found, real = _value(job, quantised), float(model.metrics[f"validation_{main}"])
    text = f"seed {seed}: {IN_INT8[main.name].title} {main.text(found)}, in float {main.text(real)}"
    if real - found > _LOST:
        epochs = max(EPOCHS, job.terms.epochs // _EPOCH_SHARE)
        tuned = fine_tuned(quantised, job.data, job.recipe, epochs, seed)
        better = found if tuned is None else _value(job, tuned)
        text += f"; {counted(epochs, 'epoch')} of fine-tuning in int8 gave {main.text(better)}"
        if tuned is not None and better > found:
            quantised, found = tuned, better
        else:
            text += ", so the weights stay as they were"
    value = {f"validation_{IN_INT8[main.name]}": found}
    model = with_int8(model, quantised)
    save_model(folder.model, replace(model, metrics={**model.metrics, **value}))
    return f"{text}."


def _value(job: SeedJob, quantised: QuantisedGraph) -> float:
    """Return the task's main metric on the validation split."""
    return measure_int8(quantised, job.data.validation, job.task)[job.task.metrics[0]]
