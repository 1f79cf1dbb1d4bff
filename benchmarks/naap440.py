"""NAAP-440 (440 small CIFAR-10 networks with 90-epoch curves) as a space, and as a table for it.

    python -m benchmarks.naap440 naap440.csv.gz naap440-table.csv.gz
    python -m benchmarks.search --table naap440-table.csv.gz --space benchmarks/naap440.py

https://github.com/talcs/NAAP-440 (MIT). Each network has 3 or 4 convolutions, given there as
`k3w16s2r`: kernel, width, stride, and r for a residual connection.
"""

import csv
import gzip
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neptune_nas.space import Space, choice, optional

LAYER = re.compile(r"k(?P<kernel>\d+)w(?P<width>\d+)s(?P<stride>\d)(?P<residual>r?)$")


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution."""

    kernel: int
    width: int
    stride: int
    residual: bool


@dataclass(frozen=True, slots=True)
class Network:
    """Two 3x3 convolutions of stride 2, of which only the width is free, and one or two more."""

    first: int
    second: int
    third: Layer
    fourth: Layer | None


def fits(network: Network) -> bool:
    """Return whether at most one more stride is 2, and residual connections keep the shape."""
    layers = [layer for layer in (network.third, network.fourth) if layer is not None]
    before = [network.second, network.third.width]
    return sum(layer.stride == 2 for layer in layers) <= 1 and all(
        not layer.residual or (layer.stride == 1 and layer.width == width)
        for layer, width in zip(layers, before, strict=False)
    )


SPACE = Space(
    name="naap-440",
    description="the 440 networks of NAAP-440",
    template=Network(
        first=choice(12, 16),
        second=choice(16, 24),
        third=Layer(choice(1, 3), choice(16, 24, 32), choice(1, 2), choice(False, True)),
        fourth=optional(Layer(choice(1, 3), choice(32, 40), choice(1, 2), choice(False, True))),
    ),
    where=fits,
)


def network(text: str) -> Network:
    """Return the network of a code such as `k3w12s2;k3w16s2;k1w16s1`."""
    layers = [Layer(*layer) for layer in map(read_layer, text.split(";"))]
    third, fourth = (*layers[2:], None)[:2]
    assert third is not None
    return Network(layers[0].width, layers[1].width, third, fourth)


def read_layer(text: str) -> tuple[int, int, int, bool]:
    """Return kernel, width, stride, and whether there is a residual connection."""
    found = LAYER.match(text)
    if found is None:
        sys.exit(f"'{text}' is no layer of NAAP-440: is the file its naap440.csv?")
    kernel, width, stride = (int(found[name]) for name in ("kernel", "width", "stride"))
    return kernel, width, stride, found["residual"] == "r"


def rows(source: Path) -> Iterator[dict[str, object]]:
    """Yield a row per network and epoch for `Tabular`, with the best accuracy so far."""
    paths = [decision.path for decision in SPACE.decisions]
    with gzip.open(source, "rt", newline="") as file:
        for given in csv.DictReader(file):
            picks = SPACE.picks(network(given["layers"]))
            costs = {"flops": 2 * int(given["macs"]), "params": given["params"]}
            curves = zip(given["acc_curve"].split(), given["loss_curve"].split(), strict=True)
            best = 0
            for epoch, (accuracy, loss) in enumerate(curves, start=1):
                best = max(best, int(accuracy))
                yield {
                    **{path: str(picks[path]) if path in picks else "" for path in paths},
                    "fidelity": epoch,
                    "accuracy": best / 10_000,
                    "loss": int(loss) / 10_000,
                    **costs,
                }


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    table = list(rows(source))
    text = io.StringIO()
    writer = csv.DictWriter(text, table[0])
    writer.writeheader()
    writer.writerows(table)
    target.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    print(f"{len(table):,} measurements of {SPACE.size} networks written to {target}")


if __name__ == "__main__":
    main()
