"""The output of a training in the terminal: one line per epoch, and the results."""

from rich.box import SIMPLE
from rich.table import Table

from neptune_nas.cli.console import console
from neptune_nas.cli.progress import say
from neptune_nas.cli.terminal import print_line
from neptune_nas.devices.device import pick_device
from neptune_nas.metrics.counted import cost_of
from neptune_nas.metrics.registry import COST, PARAMS, metric
from neptune_nas.report.evaluation import interval_text
from neptune_nas.retrain.metrics import SPLITS, Metrics, SplitName
from neptune_nas.retrain.run import Training
from neptune_nas.retrain.seed import name_of
from neptune_nas.text import clock, counted


def print_metrics(training: Training, metrics: Metrics, was_done: bool) -> None:
    """Print the results of the seeds, their mean, and the paths of the files."""
    folder = training.folder
    if was_done:
        print_line(f"Already trained: the results were read from {folder.metrics}.")
    console().print(seeds_table(metrics))
    sizes = (f"{metrics.costs[each.name]:,} {each.title}" for each in (COST, PARAMS))
    print_line(", ".join(sizes))
    if (start := metrics.terms.inherited) is not None:
        print_line(f"Started from {start}: {start.text}.")
    count = len(metrics.seeds)
    seeds = f"each of {count} seeds" if count > 1 else "one seed"
    read = max(seed.test_read for seed in metrics.seeds)
    print_line(f"The test split was read once for {seeds}, last at {read}.")
    for name, path in (
        ("Metrics", folder.metrics),
        ("Curves", folder.curves),
        ("Models", folder.path / "seed-*" / "model.safetensors"),
    ):
        print_line(f"{name + ':':8} {path}")
    print_line(evaluation_line(training, metrics))


def evaluation_line(training: Training, metrics: Metrics) -> str:
    """Return the test score of the seed that is best on the validation split, and its page."""
    best = metrics.best
    main, images = metric(metrics.names[0]), len(training.images.test)
    value = best.test[main.name]
    page = training.folder.seed(best.seed).evaluation
    return (
        f"Tested:  {main.title} {main.text(value)}, "
        f"{interval_text(training.task.interval(value, images))}, on "
        f"{counted(images, 'image')} with seed {best.seed}, the best on validation"
        f"{f': {page}' if page.is_file() else '.'}"
    )


def print_forecast(training: Training) -> None:
    """Print what a training would train, on what, where and for how long."""
    images, costs = training.images, cost_of(training.network).values
    start = training.terms.inherited
    sizes = ", ".join(f"{costs[each.name]:,} {each.title}" for each in (COST, PARAMS))
    splits = {"training": images.train, "validation": images.validation, "test": images.test}
    counts = (f"{len(split.targets):,} {name}" for name, split in splits.items())
    seconds = training.forecast(say)
    plan = f"{counted(training.seeds, 'seed')} of {counted(training.epochs, 'epoch')} each"
    left = " for the rest" if training.folder.has_begun else ""
    time = ", all trained" if seconds is None else f", about {clock(seconds)}{left}"
    for name, text in (
        ("Network", f"{name_of(training.source)}: {sizes}"),
        ("Data", f"{training.data_name}: {', '.join(counts)} images"),
        ("Training", f"{plan}, on {pick_device(training.device)}{time}"),
        *((("Start", f"{start}: {start.text}"),) if start else ()),
        ("Folder", str(training.folder.path)),
    ):
        print_line(f"{name + ':':9} {text}")


def seeds_table(metrics: Metrics) -> Table:
    """Return the table of one row per seed, with means and standard deviations."""
    terms = metrics.terms
    table = Table(
        box=SIMPLE,
        title=f"{terms.network}: {counted(terms.epochs, 'epoch')} on {terms.data}",
        title_justify="left",
        show_footer=True,
    )
    table.add_column("seed", footer="mean", justify="right")
    main, *others = metrics.names
    shown: list[tuple[str, SplitName, str]] = [
        ("validation", "validation", main),
        ("test", "test", main),
        *((f"test {metric(name).title}", SPLITS[1], name) for name in others),
    ]
    for title, split, name in shown:
        spread = metrics.spread(split, name)
        table.add_column(title, footer=str(spread), justify="right")
    for title in ("kept", "time"):
        table.add_column(title, justify="right")
    for seed in metrics.seeds:
        measured = (f"{getattr(seed, split)[name]:.4f}" for _, split, name in shown)
        kept = f"{seed.weights}, {seed.epoch}"
        table.add_row(str(seed.seed), *measured, kept, clock(seed.seconds))
    return table
