"""What every task must do; a subclass says which task, on which data, and with which network."""

import pickle
from abc import ABC, abstractmethod

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn
from torch.optim import Adam

from neptune_nas.data.images import ImageData, Split
from neptune_nas.metrics.registry import metric
from neptune_nas.tasks.augmentation import Augment, Normalizer, draw_moves
from neptune_nas.tasks.evaluation import Evaluation
from neptune_nas.tasks.registry import TASKS, task_of
from neptune_nas.tasks.task import Task, failed_values

CPU = torch.device("cpu")
SOME = 12  # images of a batch
INHERITED = settings(suppress_health_check=[HealthCheck.differing_executors])  # by several tasks
AUGMENTS = (
    Augment(),
    Augment(crop=2),
    Augment(flip=True),
    Augment(cutout=3),
    Augment(policy="trivial"),
    Augment(crop=1, flip=True, cutout=2, policy="rand"),
)


class TaskContract(ABC):
    """A task; a subclass makes it, its data and a network, and says how its targets move."""

    @abstractmethod
    def data(self) -> ImageData:
        """Return a data set of the task, `SOME` training images or more, of odd, unequal sides."""

    @abstractmethod
    def network(self, outputs: int) -> nn.Module:
        """Return a small network for the data, with so many outputs, without dropout."""

    @abstractmethod
    def guesses(self, split: Split) -> Tensor:
        """Return what a network puts out for a split that knows nothing of its images."""

    @abstractmethod
    def perfect(self, split: Split) -> Tensor:
        """Return what a network puts out for a split that knows its targets for sure."""

    @abstractmethod
    def mirrored(self, split: Split) -> Split:
        """Return the images of a split and their targets, all mirrored left to right."""

    @property
    def task(self) -> Task:
        return task_of(self.data())

    def batch(self) -> Split:
        return self.data().train[torch.arange(SOME)]

    def outputs(self, batch: Split) -> Tensor:
        """Return what a fresh network puts out."""
        data = self.data()
        with torch.random.fork_rng([]), torch.inference_mode():
            torch.manual_seed(0)
            network = self.network(self.task.outputs(data)).eval()
            found: Tensor = network(Normalizer(data, CPU)(batch.images))
        return found

    def measured(self, *batches: tuple[Tensor, Tensor]) -> dict[str, float]:
        """Return the values over some batches of outputs and targets."""
        meter = self.task.meter()
        for outputs, targets in batches:
            meter.update(outputs, targets)
        return meter.result()

    def views(self, batch: Split, augment: Augment, seed: int = 0) -> tuple[Tensor, Tensor]:
        moves = draw_moves(augment, batch.images, Generator().manual_seed(seed))
        return self.task.views(batch, moves, Normalizer(self.data(), CPU))

    def test_the_table_has_it_under_its_name(self) -> None:
        assert TASKS[self.task.name] == self.task
        assert self.data().task == self.task.name

    def test_it_goes_to_a_worker_and_back(self) -> None:
        assert pickle.loads(pickle.dumps(self.task)) == self.task

    def test_its_metrics_are_scored_ones_of_the_registry_with_the_loss_among_them(self) -> None:
        assert {metric(name).source for name in self.task.metrics} == {"scored"}
        assert len({*self.task.metrics}) == len(self.task.metrics)
        assert self.task.criterion in self.task.metrics
        assert metric(self.task.criterion).better == "less"

    @pytest.mark.parametrize("classes", [2, 10, 1000])
    def test_chance_has_a_value_of_each_metric_in_its_range(self, classes: int) -> None:
        chance = self.task.chance(classes)
        assert tuple(chance) == self.task.metrics
        for name, value in chance.items():
            assert_in_range(name, value)
        assert chance[self.task.criterion] > 0

    @pytest.mark.parametrize("temperature", [1.0, 4.0])
    def test_a_teacher_is_not_far_from_itself_and_its_loss_adds_up(
        self, temperature: float
    ) -> None:
        batch = self.batch()
        outputs = self.outputs(batch).clone()
        perfect = self.perfect(batch)
        assert float(self.task.distil(outputs, outputs, temperature)) == pytest.approx(0, abs=1e-4)
        whole = self.task.distil(outputs, perfect, temperature)
        assert (whole.ndim, float(whole) > 0) == (0, True)
        parts = (slice(5), slice(5, None))
        halves = [self.task.distil(outputs[p], perfect[p], temperature) for p in parts]
        torch.testing.assert_close(whole, sum(halves, torch.zeros(())), rtol=1e-4, atol=1e-4)

    def test_guessing_scores_chance(self) -> None:
        data = self.data()
        found = self.measured((self.guesses(data.validation), data.validation.targets))
        assert found == pytest.approx(dict(self.task.chance(len(data.classes))), rel=1e-5)
        known = self.task.chance(len(data.classes), data.validation.targets)
        for name, value in known.items():
            assert_in_range(name, value)
            assert metric(name).turn * value >= metric(name).turn * found[name] - 1e-5

    def test_knowing_scores_the_best_there_is(self) -> None:
        split = self.data().validation
        found = self.measured((self.perfect(split), split.targets))
        for name, value in found.items():
            best = 1.0 if metric(name).better == "more" else 0.0
            assert value == pytest.approx(best, abs=1e-3)

    def test_what_a_network_scores_lies_in_the_metrics_ranges_and_order(self) -> None:
        batch = self.batch()
        found = self.measured((self.outputs(batch), batch.targets))
        assert tuple(found) == self.task.metrics
        for name, value in found.items():
            assert_in_range(name, value)

    @INHERITED
    @given(st.integers(1, SOME - 1))
    def test_a_split_scores_the_same_in_any_batches(self, size: int) -> None:
        batch = self.batch()
        outputs = self.outputs(batch)
        parts = zip(torch.split(outputs, size), torch.split(batch.targets, size), strict=True)
        whole = self.measured((outputs, batch.targets))
        assert self.measured(*parts) == pytest.approx(whole, rel=1e-5)

    def test_the_criterion_is_the_mean_loss(self) -> None:
        batch = self.batch()
        outputs = self.outputs(batch)
        mean = float(self.task.loss(outputs, batch.targets)) / SOME
        found = self.measured((outputs, batch.targets))
        assert found[self.task.criterion] == pytest.approx(mean, rel=1e-5)

    @INHERITED
    @given(st.integers(1, SOME - 1), st.sampled_from([0.0, 0.1]))
    def test_the_losses_of_parts_add_up_and_so_do_their_gradients(
        self, size: int, smoothing: float
    ) -> None:
        batch = self.batch()
        whole, parts = (self.outputs(batch).clone().requires_grad_() for _ in range(2))
        loss = self.task.loss(whole, batch.targets, smoothing)
        pairs = zip(torch.split(parts, size), torch.split(batch.targets, size), strict=True)
        losses = torch.stack([self.task.loss(*pair, smoothing) for pair in pairs])
        assert loss.shape == ()
        torch.testing.assert_close(losses.sum(), loss)
        torch.autograd.backward([loss, losses.sum()])
        torch.testing.assert_close(parts.grad, whole.grad)

    def test_a_network_learns_a_batch_by_heart(self) -> None:
        data, batch = self.data(), self.batch()
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            network = self.network(self.task.outputs(data))
            optimizer = Adam(network.parameters(), lr=0.02)
            losses = []
            for _ in range(60):
                outputs = network(Normalizer(data, CPU)(batch.images))
                loss = self.task.loss(outputs, batch.targets) / SOME
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                losses.append(float(loss.detach()))
        assert losses[-1] < 0.2 * losses[0]

    @pytest.mark.parametrize("augment", AUGMENTS, ids=str)
    def test_views_keep_shapes_and_leave_the_batch_alone(self, augment: Augment) -> None:
        batch = self.batch()
        before = batch.images.clone(), batch.targets.clone()
        images, targets = self.views(batch, augment)
        assert (images.shape, images.dtype) == (batch.images.shape, torch.float32)
        assert (targets.shape, targets.dtype) == (batch.targets.shape, batch.targets.dtype)
        assert torch.equal(batch.images, before[0])
        assert torch.equal(batch.targets, before[1])

    @pytest.mark.parametrize("augment", AUGMENTS, ids=str)
    def test_a_view_depends_on_its_image_and_its_moves_alone(self, augment: Augment) -> None:
        batch, normalize = self.batch(), Normalizer(self.data(), CPU)
        moves = draw_moves(augment, batch.images, Generator().manual_seed(3))
        whole = self.task.views(batch, moves, normalize)
        rows = torch.randperm(SOME, generator=Generator().manual_seed(4))[: SOME // 2]
        some = self.task.views(batch[rows], moves[rows], normalize)
        for part, every in zip(some, whole, strict=True):
            torch.testing.assert_close(part, every[rows])

    @pytest.mark.parametrize("augment", AUGMENTS, ids=str)
    def test_views_leave_torchs_random_state_alone(self, augment: Augment) -> None:
        before = torch.get_rng_state()
        self.views(self.batch(), augment)
        assert torch.equal(torch.get_rng_state(), before)

    def test_without_augmentation_a_view_is_the_normalised_image_and_its_target(self) -> None:
        batch = self.batch()
        images, targets = self.views(batch, Augment())
        assert torch.equal(images, Normalizer(self.data(), CPU)(batch.images))
        assert torch.equal(targets, batch.targets)

    def test_targets_move_with_their_images(self) -> None:
        normalize = Normalizer(self.data(), CPU)
        plain, turned = self.batch(), self.mirrored(self.batch())
        images, targets = self.views(plain, Augment(flip=True), seed=1)
        seen = set()
        for i in range(SOME):
            known = turned if not torch.equal(images[i], normalize(plain.images)[i]) else plain
            assert torch.equal(images[i], normalize(known.images)[i])
            assert torch.equal(targets[i], known.targets[i])
            seen.add(known is plain)
        assert seen == {True, False}

    def test_there_is_a_prediction_for_each_image_that_no_other_changes(self) -> None:
        outputs = self.outputs(self.batch())
        whole = self.task.predict(outputs)
        alone = torch.cat([self.task.predict(row) for row in torch.split(outputs, 1)])
        assert len(whole) == SOME
        torch.testing.assert_close(alone, whole)

    @pytest.mark.parametrize("top", [1, 2, 99])
    def test_findings_are_labels_with_shares_the_surest_first(self, top: int) -> None:
        labels = self.data().classes
        predictions = self.task.predict(self.outputs(self.batch()))
        found = [*self.task.findings(predictions, labels, top)]
        assert len(found) == SOME
        for each in found:
            shares = [finding.probability for finding in each]
            assert len(each) <= top
            assert {finding.label for finding in each} <= {*labels}
            assert shares == sorted(shares, reverse=True)
            assert all(0 <= share <= 1 for share in shares)

    def evaluation(self, split: Split, outputs: Tensor) -> Evaluation:
        """Return what the task says of a network's outputs for a split."""
        values = self.measured((outputs, split.targets))
        predictions = self.task.predict(outputs)
        return self.task.evaluate(predictions, split.targets, self.data().classes, values)

    def test_an_evaluation_has_the_meters_values_and_a_result_of_each_class(self) -> None:
        batch, classes = self.batch(), self.data().classes
        outputs = self.outputs(batch)
        found = self.evaluation(batch, outputs)
        assert found.values == self.measured((outputs, batch.targets))
        assert found.main == (self.task.metrics[0], found.values[self.task.metrics[0]])
        assert found.images == SOME
        assert tuple(each.label for each in found.classes) == classes
        assert found.chance == self.task.chance(len(classes), batch.targets)[found.main[0]]
        shares = [share for each in found.classes for share in each.shares.values()]
        assert all(share is None or 0 <= share <= 1 for share in shares)
        assert all(count > 0 for count in found.confusion.values())
        assert {i for pair in found.confusion for i in pair} <= {*found.places}
        assert found.places[: len(classes)] == (*range(len(classes)),)

    def test_mistakes_name_images_and_labels_the_surest_first(self) -> None:
        batch = self.batch()
        found = self.evaluation(batch, self.outputs(batch))
        mistakes, labels = found.mistakes, {*map(found.label, found.places)}
        assert mistakes
        shares = [each.probability for each in mistakes]
        assert shares == sorted(shares, reverse=True)
        assert {each.row for each in mistakes} <= {*range(SOME)}
        for each in mistakes:
            assert {each.label, each.predicted} <= labels
            assert 0 <= each.true_probability <= 1

    def test_who_knows_all_makes_no_mistake(self) -> None:
        split = self.data().validation
        found = self.evaluation(split, self.perfect(split))
        assert found.mistakes == ()
        assert found.confused == []

    @INHERITED
    @given(st.integers(0, 30), st.integers(1, 30))
    def test_an_interval_holds_its_value_and_is_narrower_with_more_images(
        self, right: int, images: int
    ) -> None:
        value = min(right, images) / images
        low, high = self.task.interval(value, images)
        assert 0 <= low <= value <= high <= 1
        less, more = self.task.interval(value, 10 * images)
        assert more - less < high - low

    def test_a_failed_network_is_no_better_than_chance_in_anything(self) -> None:
        chance, failed = self.task.chance(10), failed_values(self.task)
        assert failed.keys() == chance.keys()
        for name, value in failed.items():
            assert metric(name).turn * value >= metric(name).turn * chance[name]


def assert_in_range(name: str, value: float) -> None:
    """Return a share lies in 0..1; any other metric is a number of at least 0."""
    assert 0 <= value <= (1 if metric(name).unit == "share" else float("inf"))
