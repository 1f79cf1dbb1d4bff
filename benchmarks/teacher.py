r"""What a teacher adds: networks trained with and without one, from several seeds.

    python benchmarks/teacher.py --data cifar10 --teacher trained/big/seed-0/model.safetensors \
        --epochs 20 --seeds 3 resnet8 trained/small/seed-0/model.safetensors

Each SOURCE is what `neptune-nas train` takes: a model's file, an exported architecture, or the name
of a hand-designed network. The networks are trained anew; trainings that are there already are
read. With several `--views`, `--weights` or `--temperatures`, each combination is a row.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from neptune_nas import Training
from neptune_nas.cli.pick import Pick
from neptune_nas.cli.train import source_at
from neptune_nas.metrics.registry import COST, metric
from neptune_nas.retrain.metrics import Metrics
from neptune_nas.retrain.seed import name_of


@dataclass(frozen=True)
class Row:
    """One network, trained in one way."""

    network: str
    teacher: str
    metrics: Metrics

    def line(self, plain: Metrics) -> str:
        """Return the row of a table in Markdown; `plain`: without a teacher."""
        main = self.metrics.names[0]
        found = [self.metrics.spread(split, main) for split in ("validation", "test")]
        more = 100 * (found[1].mean - plain.spread("test", main).mean)
        seconds = sum(each.seconds for each in self.metrics.seeds) + self.metrics.teacher_seconds
        cost = COST.text(self.metrics.costs[COST.name])
        return (
            f"| {self.network} | {cost} | {self.teacher} | {found[0]} | {found[1]} | "
            f"{more:+.2f} | {seconds:.0f} |"
        )


def rows(asked: Namespace) -> Iterator[tuple[Row, Metrics]]:
    """Yield the rows of each network, the one without a teacher first, with its results."""
    for text in asked.sources:
        source = source_at(text, Pick(None, None, None), None, None)
        name = name_of(source)
        base = Training(
            source,
            data=asked.data,
            epochs=asked.epochs,
            seeds=asked.seeds,
            threads=asked.threads,
            out=asked.out / name / "plain",
        )
        plain = base.run(say=print)
        yield Row(name, "none", plain), plain
        for views, weight, heat in product(asked.views, asked.weights, asked.temperatures):
            how = f"{views} views, weight {weight:g}, temperature {heat:g}"
            recipe = replace(base.used_recipe, teacher_weight=weight, temperature=heat)
            taught = replace(
                base,
                recipe=recipe,
                teacher=asked.teacher,
                teacher_views=views,
                out=asked.out / name / f"views-{views}-weight-{weight:g}-at-{heat:g}",
            )
            yield Row(name, how, taught.run(say=print)), plain


def main() -> None:
    """Train the networks, and print the table."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--views", type=int, nargs="+", default=[8])
    parser.add_argument("--weights", type=float, nargs="+", default=[0.9])
    parser.add_argument("--temperatures", type=float, nargs="+", default=[4.0])
    parser.add_argument("--out", type=Path, default=Path("trained/teacher"))
    lines = [row.line(plain) for row, plain in rows(parser.parse_args())]
    accuracy = metric("accuracy").title
    print(f"| network | FLOPs | teacher | validation {accuracy} | test {accuracy} | points | s |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
