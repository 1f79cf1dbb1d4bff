"""Training with and without CUDA graphs, for `benchmarks.cuda`.

A step of a small network is hundreds of small kernels, whose launches may take longer than they do;
a CUDA graph launches them all at once (`torch.cuda.graph`).
"""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import geometric_mean
from time import monotonic, perf_counter

import torch
from torch.nn.utils import clip_grad_norm_

from benchmarks.cuda_terms import CLASSES, SHAPE, Terms, first_line, network_on
from neptune_nas.architecture.records import Architecture
from neptune_nas.data.images import ImageData
from neptune_nas.metrics.counted import CostModel
from neptune_nas.training.loop import batches, epoch_moves, random_state, train_epoch
from neptune_nas.training.state import (
    RunState,
    Setup,
    Weights,
    copy_tensors,
    make_setup,
    make_state,
)
from neptune_nas.training.teacher import Lesson, lesson_loss

WARM_UP = 3  # steps before a capture, as torch asks for


class GraphTraining:
    """A run whose steps are replays of one CUDA graph; on a CPU, the same steps without a graph.

    A graph reads images, targets and rates from tensors that stay where they are. All batches must
    have the recipe's size.
    """

    def __init__(self, setup: Setup, state: RunState) -> None:
        size, device = setup.recipe.batch_size, setup.device
        self.setup, self.state = setup, state
        self.images = torch.zeros(size, *SHAPE, device=device).contiguous(
            memory_format=torch.channels_last
        )
        self.targets = torch.zeros(size, dtype=torch.int64, device=device)
        self.loss = torch.zeros((), device=device)
        for group in state.optimizer.param_groups:
            rate = torch.tensor(group["lr"], device=device)
            group.update(lr=rate, capturable=device.type == "cuda")
        weights = copy_tensors(setup.network)
        setup.network.train()
        self.replay = self._captured() if device.type == "cuda" else self._tried()
        self._forget(weights)

    def _captured(self) -> Callable[[], object]:
        """Return the replay of a step, captured after a few on a stream of their own."""
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.step()
        current.wait_stream(stream)
        self.state.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        return graph.replay

    def _tried(self) -> Callable[[], object]:
        """Return the step itself, taken once."""
        self.step()
        return self.step

    def _forget(self, weights: Weights) -> None:
        """Undo the steps taken so far, in place."""
        self.setup.network.load_state_dict(weights)
        for state in self.state.optimizer.state.values():
            for value in state.values():
                value.zero_()

    def step(self) -> None:
        """Take the step that `neptune_nas.training.loop` takes with a batch in one part."""
        setup, optimizer = self.setup, self.state.optimizer
        optimizer.zero_grad(set_to_none=True)
        with setup.autocast:
            outputs = setup.network(self.images).float()
        loss = lesson_loss(setup.task, setup.recipe, outputs, Lesson(self.targets))
        loss = loss / len(self.images)
        torch.autograd.backward(loss)
        clip_grad_norm_(setup.network.parameters(), setup.recipe.clip_norm)
        optimizer.step()
        self.loss.copy_(loss.detach())

    def train_epoch(self) -> float:
        """Train for one pass over the training images, and return the mean loss."""
        setup, state = self.setup, self.state
        rows_of_batches = batches(len(setup.train), setup.recipe.batch_size, state.generator)
        total = torch.zeros((), device=setup.device)
        moves = epoch_moves(setup, state)
        with setup.train.batches(rows_of_batches) as found:
            for rows, batch in zip(rows_of_batches, found, strict=True):
                images, targets = setup.task.views(batch, moves[rows], setup.normalize)
                self.images.copy_(images)
                self.targets.copy_(targets)
                self.replay()
                assert state.schedule is not None
                state.schedule.step()
                total += self.loss
        return float(total) / len(rows_of_batches)


def training_rate(
    architecture: Architecture, data: ImageData, terms: Terms, *, graphs: bool
) -> tuple[float, float]:
    """Return the images a second, and the mean loss of the last epoch; the first is not timed."""
    with random_state(terms.device, 0):
        network = network_on(architecture, terms.device)
        setup = make_setup(network, data, terms.recipe, terms.device)
        state = make_state(setup, epochs=1 + terms.epochs, seed=0)
        train = (
            GraphTraining(setup, state).train_epoch
            if graphs
            else partial(train_epoch, setup, state)
        )
        torch.manual_seed(0)  # the steps before a capture drew from it
        train()
        started = perf_counter()
        for _ in range(terms.epochs):
            loss = train()  # reading it waits for the device
        seconds = perf_counter() - started
    return terms.epochs * len(data.train) / seconds, loss


def compare_graphs(terms: Terms, until: float) -> Iterator[str]:
    """Yield the training speed of each network, by the toolkit's loop and then by CUDA graphs.

    A capture that fails may leave CUDA unusable in this process.
    """
    data, usual = terms.data(), list[float]()
    costs = CostModel(SHAPE, CLASSES)
    yield f"images a second, batches of {terms.batch}, {terms.recipe.precision}, and the last loss"
    yield "| network | MFLOPs | toolkit | loss |\n|---|---|---|---|"
    for number, architecture in enumerate(terms.sampled()):
        if monotonic() > until:
            yield f"not measured, for want of time: networks {number} and on"
            break
        rate, loss = training_rate(architecture, data, terms, graphs=False)
        usual.append(rate)
        megaflops = costs.cost(architecture).flops / 1e6
        yield f"| {number} | {megaflops:.1f} | {rate:.0f} | {loss:.4f} |"
    yield "| network | CUDA graphs | ratio | loss |\n|---|---|---|---|"
    gains = list[float]()
    for number, (architecture, before) in enumerate(zip(terms.sampled(), usual, strict=False)):
        if monotonic() > until:
            yield f"not measured, for want of time: networks {number} and on"
            break
        try:
            rate, loss = training_rate(architecture, data, terms, graphs=True)
        except RuntimeError as error:
            yield f"| {number} | failed: {first_line(error)} | | |"
            continue
        gains.append(rate / before)
        yield f"| {number} | {rate:.0f} | {gains[-1]:.2f} | {loss:.4f} |"
    if gains:
        yield f"CUDA graphs: {geometric_mean(gains):.2f} times, {min(gains):.2f} at least"
