"""How well the latency of unseen networks is predicted from at most 50 measured ones.

    python -m benchmarks.latency_prediction --space cifar10 --unseen 100

Networks are measured in rounds, one after the other, and a latency is the median over rounds, so
that what else the machine does at a time counts for all. It prints how far two halves of the rounds
differ, which no prediction can beat; the mean absolute error of predictions for networks that the
fit has not seen, as a share of the latency; and Kendall's tau.
"""

import argparse
from itertools import islice
from random import Random
from statistics import median
from time import process_time

import numpy as np
import torch
from scipy.stats import kendalltau

from neptune_nas.architecture.records import Architecture
from neptune_nas.deploy.latency import time_file, untrained_file
from neptune_nas.deploy.latency_model import LatencyModel
from neptune_nas.deploy.latency_place import Place, place_in
from neptune_nas.metrics.counted import CostModel
from neptune_nas.nn.builder import build
from neptune_nas.search.latency import NETWORKS, spread_networks
from neptune_nas.space import find_space

SHAPE, CLASSES = (3, 32, 32), 10


def error(found: np.ndarray, true: np.ndarray) -> str:
    tau = kendalltau(found, true).statistic
    return f"{np.mean(np.abs(found / true - 1)):.1%}, Kendall's tau {tau:.3f}"


def latencies(networks: list[Architecture], place: Place, rounds: int) -> np.ndarray:
    begun = process_time()
    built = (build(one, SHAPE, CLASSES, 0) for one in networks)
    files = [untrained_file(each, SHAPE, place.runtime) for each in built]
    print(f"{(process_time() - begun) / len(files):.2f} CPU-seconds to write a file")
    return np.array([[time_file(each, place).median for each in files] for _ in range(rounds)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="cifar10")
    parser.add_argument("--on", default="onnxruntime")
    parser.add_argument("--unseen", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    place = place_in(asked.on)
    assert place is not None, "torch is not predicted"
    space, costs = find_space(asked.space), CostModel(SHAPE, CLASSES)
    fitted = spread_networks(
        space, lambda _: True, lambda each: costs.value("macs", each), asked.seed
    )
    rng = Random(f"unseen {asked.seed}")
    drawn = (each for each in iter(lambda: space.sample(rng), None) if each not in fitted)
    networks = [*fitted, *islice(drawn, asked.unseen)]
    times = latencies(networks, place, asked.rounds)
    mean = np.array([median(column) for column in times.T])
    one, other = np.median(times[::2], axis=0), np.median(times[1::2], axis=0)
    print(f"half of the rounds against the other half: {error(one, other)}")
    model = LatencyModel([*zip(fitted, mean.tolist(), strict=False)], SHAPE, CLASSES)
    print(f"latency is {model.accuracy}; margin {model.accuracy.margin:.1%}")
    unseen = networks[len(fitted) :]
    begun = process_time()
    found = np.array([model(each) for each in unseen])
    first, begun = process_time() - begun, process_time()
    for each in unseen:
        model(each)
    again = (process_time() - begun) / len(unseen)
    print(
        f"{1e3 * first / len(unseen):.1f} ms a network, {1e6 * again:.0f} us once parts are known"
    )
    print(f"{len(unseen)} unseen networks from {len(fitted)}: {error(found, mean[len(fitted) :])}")
    assert len(fitted) <= NETWORKS


if __name__ == "__main__":
    main()
