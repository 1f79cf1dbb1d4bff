r"""The cost and results of rungs and the fast trainer, against training every candidate fully.

    python -m benchmarks.rungs --data-dir DIR --images 3000 --validation 1000 --rungs 1,3,9:3 \
        1,3,9:5,2 0,1,3,9:2,3,2

DIR has `train/` with a folder of images per class. Both ways get the same seeded sample of
architectures. The naive way trains each for the last rung's epochs in a naive loop
(`benchmarks.naive`), half of them before our searches and half after. Ours is a search of a space
with only this sample, for each of `--rungs` (epochs, 0 for synflow; after the colon, reductions:
one trial in this many goes on). Trainings common to two searches are run once and their time is
counted in both. All train on `--images` images and validate on `--validation` others. It prints
CPU-seconds, including the coordinator's, and the hypervolume of accuracy and FLOPs of either front,
twice: by the naive accuracies for all, and by each way's own. By the naive accuracies it also
prints the hypervolume of all networks at the last rung, of as many at random, and the share of the
gap from these to all that the rungs close (see `benchmarks.gap`). `--seed` draws other networks.
"""

import argparse
import json
import multiprocessing
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from benchmarks.gap import Gap, gap_of, percent, share_closed
from benchmarks.naive import train, training_images
from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.data.load import load_once
from neptune_nas.evaluators.proxy_first import ProxyFirst
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.metrics.constraints import Constraint, parse_constraint
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.pareto import Floats, hypervolume, non_dominated
from neptune_nas.metrics.score import Score, score_from_json, score_to_json
from neptune_nas.nn.builder import build
from neptune_nas.search.config import Search
from neptune_nas.space import Space, choice, find_space
from neptune_nas.study.rungs import REDUCTION
from neptune_nas.study.study import Study
from neptune_nas.training.recipe import Recipe

SHAPE = (3, 32, 32)
CLASSES = 10
REFERENCE = (1.0, 1 - 1 / CLASSES)  # the largest FLOPs, and the error of guessing


@dataclass(frozen=True, slots=True)
class Job:
    """The training of one architecture on `images` of those below `folder` for `epochs`."""

    architecture: Architecture
    folder: str
    images: int
    validation: int
    epochs: int
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Trained:
    """The result of the naive loop: accuracy (0..1) and CPU-seconds."""

    key: str
    accuracy: float
    seconds: float


def naive(job: Job) -> Trained:
    """Train and measure with torchvision's folder, PIL transforms and an ordinary loop."""
    start = process_time()
    training, validation = loaders(job)
    network = build(job.architecture, SHAPE, CLASSES, seed=0)
    train(network, training, job.recipe, job.epochs)
    network.eval()
    with torch.inference_mode():
        right = sum(int((network(b).argmax(1) == y).sum()) for b, y in validation)
    accuracy = right / len(validation.dataset)  # type: ignore[arg-type]  # a Subset has a length
    return Trained(key(job.architecture), accuracy, process_time() - start)


def loaders(job: Job) -> tuple[DataLoader[object], DataLoader[object]]:
    """Return loaders of training images with PIL augmentation, and of other images without."""
    parts = []
    for augmented, rows in (
        (True, slice(job.images)),
        (False, slice(job.images, job.images + job.validation)),
    ):
        images = training_images(job.folder, augmented=augmented)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0)).tolist()
        parts.append(Subset(images, order[rows]))
    batch = job.recipe.batch_size
    return DataLoader(parts[0], batch, shuffle=True), DataLoader(parts[1], batch)


@dataclass(frozen=True, slots=True)
class Timed:
    """An evaluator that measures CPU-seconds, and keeps scores in `folder`."""

    measure: ProxyFirst
    folder: Path

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: D102  # the protocol's
        file = self.folder / f"{key(architecture)}-{fidelity}-{seed}.json"
        if file.exists():
            return score_from_json(json.loads(file.read_text()))
        load_once(self.measure.training.data, self.measure.training.data_dir, 0)
        start = process_time()
        score = self.measure(architecture, fidelity, seed)
        score = replace(score, seconds=process_time() - start)
        file.write_text(json.dumps(score_to_json(score)))
        return score


def one_thread() -> None:
    """Make a worker single-threaded."""
    torch.set_num_threads(1)


def sample(space: str, count: int, limits: Sequence[Constraint], seed: int) -> list[Architecture]:
    """Return distinct architectures within the limits."""
    random, costs, found = Random(seed), CostModel(SHAPE, CLASSES), dict[str, Architecture]()
    while len(found) < count:
        architecture = find_space(space).sample(random)
        if all(limit.holds(costs.cost(architecture).flops) for limit in limits):
            found[key(architecture)] = architecture
    return list(found.values())


def link_images(folder: Path, validation: int, out: Path) -> None:
    """Link to ten times `validation` of the training images, a tenth of them for validation."""
    for part, count in (("train", 10 * validation // CLASSES), ("test", None)):
        for kind in sorted((folder / part).iterdir()):
            (out / part / kind.name).mkdir(parents=True)
            for file in sorted(kind.iterdir())[:count]:
                (out / part / kind.name / file.name).symlink_to(file.resolve())


@dataclass(frozen=True, slots=True)
class Way:
    """Rungs with their reductions: one trial in this many goes on from each."""

    rungs: tuple[int, ...]
    reduction: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Way":
        """Return the way of a text such as `1,3,9:3` or `1,3,9:5,2`."""
        rungs, _, reduction = text.partition(":")
        numbers = (rungs, reduction or str(REDUCTION))
        levels, reductions = (tuple(map(int, each.split(","))) for each in numbers)
        return cls(levels, reductions)

    def __str__(self) -> str:
        rungs, reduction = (",".join(map(str, each)) for each in (self.rungs, self.reduction))
        return f"--rungs {rungs} --reduction {reduction}"


def search(
    jobs: Sequence[Job], way: Way, workers: int, seed: int, out: Path
) -> tuple[Study, float]:
    """Return a study of a space of only these architectures, and its CPU-seconds."""
    data, before = data_in(out, jobs[0].images), process_time()
    training = ShortTraining(data, str(out), jobs[0].recipe)
    study = Search(
        space=Space("sample", choice(*(job.architecture for job in jobs))),
        data=data,
        data_dir=out,
        evaluator=Timed(ProxyFirst(ZeroCost("synflow", data, str(out)), training), out),
        rungs=way.rungs,
        reduction=way.reduction,
        sampler="random",
        trials=len(jobs),
        seed=seed,
        jobs=workers,
        threads=1,
        out=out,
        name=str(way).replace(" ", ""),
    ).run()
    return study, process_time() - before + study.ledger.worker_seconds


def data_in(out: Path, images: int) -> str:
    """Return the name of the data set made by `link_images`."""
    return f"folder:{out / 'images'}#{images}"


def volume(accuracies: Mapping[str, float], costs: Mapping[str, int]) -> float:
    """Return networks' share of the hypervolume from chance and the largest FLOPs."""
    return hypervolume(points_of(accuracies, costs), REFERENCE) / REFERENCE[1]


def points_of(accuracies: Mapping[str, float], costs: Mapping[str, int]) -> Floats:
    """Return FLOPs as a share of the largest, and errors, of networks: `(n, 2)`."""
    return np.array([(costs[k] / max(costs.values()), 1 - a) for k, a in accuracies.items()])


def promotion_gap(
    promoted: Collection[str], accuracies: Mapping[str, float], costs: Mapping[str, int]
) -> Gap:
    """Return the gap of the networks promoted to the last rung, by accuracies of all."""
    rows = [row for row, name in enumerate(accuracies) if name in promoted]
    return gap_of(points_of(accuracies, costs), rows, REFERENCE)


def front(accuracies: Mapping[str, float], costs: Mapping[str, int]) -> list[str]:
    """Return the networks that no other dominates."""
    keep = non_dominated([(costs[name], -value) for name, value in accuracies.items()])
    return [name for name, kept in zip(accuracies, keep, strict=True) if kept]


def main() -> None:
    """Measure both ways and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True, help="folder with train/ and its classes")
    parser.add_argument("--space", default="cifar10")
    parser.add_argument("--constraint", default="flops<=15M")
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--images", type=int, default=3000, help="to train on, at most 9 times:")
    parser.add_argument("--validation", type=int, default=1000, help="images to validate on")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument(
        "--rungs", type=Way.parse, nargs="+", default=[Way((1, 3, 9), (REDUCTION,))]
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the sample and the searches")
    options = parser.parse_args()

    epochs = max(way.rungs[-1] for way in options.rungs)
    recipe = Recipe(crop=4, flip=True, batch_size=options.batch)
    jobs = [
        Job(each, options.data_dir, options.images, options.validation, epochs, recipe)
        for each in sample(
            options.space,
            options.candidates,
            [parse_constraint(options.constraint)],
            options.seed,
        )
    ]
    context = multiprocessing.get_context("spawn")
    with (
        TemporaryDirectory() as folder,
        ProcessPoolExecutor(options.workers, context, one_thread) as pool,
    ):
        out, half = Path(folder), len(jobs) // 2
        link_images(Path(options.data_dir), options.validation, out / "images")
        load_once(data_in(out, options.images), out, 0)  # decoded once for all searches
        everything = list(pool.map(naive, jobs[:half]))
        found = [search(jobs, way, options.workers, options.seed, out) for way in options.rungs]
        everything += pool.map(naive, jobs[half:])
    flops = {trial.key: trial.values["flops"] for trial in found[0][0].trials}
    for each in everything:
        print(f"{each.key}: {flops[each.key]:.0f} FLOPs, naive accuracy {each.accuracy:.4f}")
    for way, (study, seconds) in zip(options.rungs, found, strict=True):
        report(way, study, seconds, everything)


def report(way: Way, study: Study, ours: float, everything: Sequence[Trained]) -> None:
    """Print the results of one search."""
    costs = {trial.key: round(trial.values["flops"]) for trial in study.trials}
    truth = {each.key: each.accuracy for each in everything}
    own = {t.key: t.score.main for t in study.ranked if t.score}
    picked = front(own, costs)
    slow = sum(each.seconds for each in everything)
    print(f"naive: {len(truth)} candidates, {slow:.0f} CPU-s, front of {len(front(truth, costs))}")
    print(f"{way}: {len(own)} at the last rung, {ours:.0f} CPU-s, front of {len(picked)}")
    print(f"CPU time: 1/{slow / ours:.1f}")
    of_naive, of_ours = volume(truth, costs), volume({k: truth[k] for k in picked}, costs)
    print(f"hypervolume, all by naive accuracies: {of_ours:.4f} of {of_naive:.4f}")
    print(f"  = {of_ours / of_naive:.1%}")
    gap = promotion_gap(own, truth, costs)
    print(f"hypervolume, all at the last rung:    {gap.kept / gap.truth:.1%}")
    print(f"hypervolume, as many at random:       {gap.random / gap.truth:.1%}")
    print(f"  share of the gap that is closed:    {percent(*share_closed([gap]))}")
    print(f"hypervolume, each by its own scores:  {volume(own, costs):.4f} of {of_naive:.4f}")
    print(f"  = {volume(own, costs) / of_naive:.1%}", flush=True)


if __name__ == "__main__":
    main()
