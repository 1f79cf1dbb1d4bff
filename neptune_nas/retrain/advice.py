"""The notes on a training: its recipe, what it starts from, warnings before and after it."""

from collections.abc import Iterator

from neptune_nas.data.images import ImageData
from neptune_nas.metrics.registry import metric
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.start import Start
from neptune_nas.retrain.metrics import Metrics
from neptune_nas.retrain.terms import Inherited
from neptune_nas.study.measures import is_above_chance
from neptune_nas.tasks.registry import task_of
from neptune_nas.text import counted
from neptune_nas.training.recipe import RECIPES, Recipe


def short_note(source: ExportedArchitecture | str, epochs: int) -> Iterator[str]:
    """Yield a warning if a network trains for fewer epochs than its search trained it for."""
    if isinstance(source, str) or source.score is None or source.provenance.get("unit") != "epoch":
        return
    if (most := source.score.fidelity) > epochs:
        yield (
            f"{counted(epochs, 'epoch')} of training {'is' if epochs == 1 else 'are'} fewer than "
            f"the {most} that this network had in its search: raise `epochs` (--epochs) for a "
            f"better result."
        )


def recipe_note(recipe: Recipe) -> str:
    """Return how a network is trained, in a sentence.

    >>> recipe_note(Recipe())
    'Training uses the default recipe: adamw, learning rate 0.005, batches of 128 images.'
    """
    known = (name for name, of in RECIPES.items() if of(recipe) == recipe)
    name = next((f"the {each} recipe" for each in known), "a recipe of your own")
    return (
        f"Training uses {name}: {recipe.optimizer}, learning rate {recipe.lr:g}, batches of "
        f"{recipe.batch_size} images."
    )


def start_note(
    source: ExportedArchitecture | str,
    inherited: Inherited | None,
    start: Start | None,
    classes: tuple[str, ...],
) -> Iterator[str]:
    """Yield what a network inherits; where that is nothing, yield what it inherited in its search.

    `classes`: those of the data.
    """
    if inherited is not None and start is not None:
        fresh = (
            ""
            if start.model.labels == classes
            else "; the last layer is fresh, since the classes differ"
        )
        yield f"Training starts from {inherited.file}: {inherited.text}{fresh}."
    elif not isinstance(source, str) and source.provenance.get("start"):
        yield (
            f"In its search this network started from {source.provenance['start']}; here it starts "
            f"from fresh weights: to start from that model too, pass it as `start` (--first)."
        )


def chance_warning(metrics: Metrics, data: ImageData) -> Iterator[str]:
    """Yield a warning and a remedy if the seeds' mean is not clearly better than chance."""
    task = task_of(data)
    main = metric(task.metrics[0])
    found = metrics.spread("validation", main.name).mean
    guess = task.chance(len(data.classes), data.validation.targets)[main.name]
    if not is_above_chance(found, guess):
        yield (
            f"This network is not clearly better than chance: its validation {main.title} is "
            f"{found:.4f}, chance is {guess:.4f}; train longer, with more `epochs` (--epochs), "
            f"lower the recipe's `lr`, or check the data."
        )
