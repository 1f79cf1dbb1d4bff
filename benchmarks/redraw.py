"""A table with additional training runs of each network, drawn instead of measured.

    python -m benchmarks.redraw nas-bench-macro_cifar10.json.gz redrawn.json.gz --runs 24

In a table of three runs, three scores give the true accuracy of a network. Here a network's true
accuracy is its mean in the table, and each run deviates from it normally, with the deviation pooled
over the 200 networks nearest in accuracy. So a benchmark can measure the value of further scores
that never give the exact truth: see `benchmarks.confirm`.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

NEAREST = 200  # networks whose runs give the deviation of a run

Floats = npt.NDArray[np.float64]


def deviations(runs: Floats) -> Floats:
    """Return each network's standard deviation of a run; `runs`: (networks, runs), by mean."""
    window = np.ones(NEAREST)
    pooled = np.convolve(runs.var(axis=1, ddof=1), window, "same")
    return np.asarray(np.sqrt(pooled / np.convolve(np.ones(len(runs)), window, "same")))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("table", type=Path, help="in the form of NAS-Bench-Macro")
    parser.add_argument("out", type=Path, help="a file to write, .json.gz")
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    known = json.loads(gzip.decompress(options.table.read_bytes()))
    runs = {code: entry["test_acc"] for code, entry in known.items()}
    codes = sorted(runs, key=lambda code: float(np.mean(runs[code])))
    table = np.array([runs[code] for code in codes])
    random = np.random.default_rng(options.seed)
    scale = deviations(table)[:, None]
    drawn = table.mean(axis=1)[:, None] + scale * random.standard_normal((len(codes), options.runs))
    drawn = drawn.clip(0, 100)
    print(f"deviation of a run among the best {NEAREST}: {scale[-NEAREST:].mean():.3f} points")
    for code, accuracies in zip(codes, drawn, strict=True):
        known[code]["test_acc"] = list(accuracies)
    options.out.write_bytes(gzip.compress(json.dumps(known).encode(), mtime=0))


if __name__ == "__main__":
    main()
