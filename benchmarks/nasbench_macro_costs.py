"""Parameters and MACs of all 6,561 NAS-Bench-Macro networks, against the published table.

    python -m benchmarks.nasbench_macro_costs nas-bench-macro_cifar10.json[.gz]

The table is that of Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search",
CVPR 2021, arXiv 2103.11922 (its `flops` are multiply-adds).
"""

import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

from neptune_nas.architecture.records import (
    Architecture,
    Head,
    Identity,
    InvertedResidual,
    Stage,
    Stem,
)
from neptune_nas.metrics.counted import CostModel

BLOCKS = {"0": Identity(), "1": InvertedResidual(3, 3), "2": InvertedResidual(5, 6)}
STAGES = ((64, 0, 2), (128, 2, 5), (256, 5, 8))  # width, first block, end


def macro_architecture(code: str) -> Architecture:
    """Return the network of a code of eight digits, one per block."""
    stages = tuple(
        Stage(
            width=width,
            entry=BLOCKS[code[first]],
            stride=2,
            pool="none",
            norm="batch",
            connections="residual",
            substages=tuple(BLOCKS[digit] for digit in code[first + 1 : end]),
        )
        for width, first, end in STAGES
    )
    return Architecture(stem=Stem(32), stages=stages, head=Head(1280))


def main(path: Path) -> int:
    raw = path.read_bytes()
    table: dict[str, dict[str, Any]] = json.loads(
        gzip.decompress(raw) if path.suffix == ".gz" else raw
    )
    model, start = CostModel((3, 32, 32), 10), time.perf_counter()
    wrong = []
    for code, row in table.items():
        cost = model.cost(macro_architecture(code))
        if (cost.params, cost.macs) != (row["params"], row["flops"]):
            wrong.append(f"{code}: {cost.params, cost.macs} != {row['params'], row['flops']}")
    seconds = time.perf_counter() - start
    equal = len(table) - len(wrong)
    print(f"{equal} of {len(table)} equal, {len(model.known)} parts, {seconds:.2f} s")
    print("\n".join(wrong[:10]))
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
