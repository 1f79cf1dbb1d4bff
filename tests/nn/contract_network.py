"""What every architecture must do, be it the toolkit's or a user's record."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch

from neptune_nas.architecture.codec import from_json, key, to_json
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.metrics.counted import CostModel, cost
from neptune_nas.metrics.peak_memory import peak_memory
from neptune_nas.models.architecture_file import dumps as architecture_text
from neptune_nas.models.architecture_file import loads, without_study
from neptune_nas.models.model import load_model, make_untrained, save_model
from neptune_nas.nn.builder import build, is_buildable, parts

SHAPE = (1, 8, 8)  # of digits
OUTPUTS = 10


class NetworkContract(ABC):
    """A record that builds a network; a subclass names two, and its classes that a file names."""

    allow: tuple[type, ...] = ()

    @abstractmethod
    def record(self) -> Any:
        """Return the record under test."""

    @abstractmethod
    def wider(self) -> Any:
        """Another one, of more parameters."""

    def test_it_builds_a_network_that_trains(self) -> None:
        network = build(self.record(), SHAPE, OUTPUTS, seed=0)
        logits = network.train()(torch.randn(4, *SHAPE))
        assert logits.shape == (4, OUTPUTS)
        logits.square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

    def test_it_builds_for_other_images_and_outputs(self) -> None:
        network = build(self.record(), (3, 24, 16), 3, seed=0)
        assert network.eval()(torch.randn(2, 3, 24, 16)).shape == (2, 3)

    def test_no_images_give_no_logits(self) -> None:
        network = build(self.record(), SHAPE, OUTPUTS, seed=0).train()
        assert network(torch.randn(0, *SHAPE)).shape == (0, OUTPUTS)

    def test_equal_seeds_give_equal_weights_and_leave_the_global_state(self) -> None:
        state = torch.get_rng_state()
        first, second = (build(self.record(), SHAPE, OUTPUTS, 7).state_dict() for _ in range(2))
        assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(first[name], second[name]) for name in first)

    def test_other_seeds_give_other_weights(self) -> None:
        first, second = (build(self.record(), SHAPE, OUTPUTS, s).state_dict() for s in (1, 2))
        assert any(not torch.equal(first[name], second[name]) for name in first)

    def test_an_images_logits_are_its_own_affair(self) -> None:
        network, images = build(self.record(), SHAPE, OUTPUTS, 0).eval(), torch.randn(3, *SHAPE)
        assert torch.allclose(network(images)[:1], network(images[:1]), atol=1e-5)

    def test_its_cost_is_that_of_the_whole_network(self) -> None:
        network = build(self.record(), SHAPE, OUTPUTS)
        model = CostModel(SHAPE, OUTPUTS)
        assert model.cost(self.record()) == cost(network, SHAPE)
        assert sum(part.macs for _, part in model.breakdown(self.record())) > 0

    def test_equal_records_are_counted_once(self) -> None:
        model = CostModel(SHAPE, OUTPUTS)
        model.cost(self.record())
        known = dict(model.known)
        model.cost(self.record())
        assert model.known == known
        assert model.cost(self.wider()).params > model.cost(self.record()).params

    def test_its_parts_read_the_images_first_and_give_the_outputs_last(self) -> None:
        found = parts(self.record(), SHAPE, OUTPUTS)
        assert found[0].shape == SHAPE
        assert found[-1].outputs == OUTPUTS
        assert is_buildable(self.record())

    def test_its_json_gives_it_back_under_the_same_key(self) -> None:
        record = self.record()
        assert from_json(to_json(record), self.allow) == record
        assert key(record) == key(self.record()) != key(self.wider())

    def test_its_file_gives_it_back(self) -> None:
        item = without_study(self.record(), SHAPE, OUTPUTS)
        assert loads(architecture_text(item), "best.json", self.allow) == item

    def test_its_model_gives_the_same_predictions_from_a_file(self, tmp_path: Path) -> None:
        model = make_untrained(without_study(self.record(), SHAPE, OUTPUTS))
        save_model(tmp_path / "model.safetensors", model)
        read = load_model(tmp_path / "model.safetensors", self.allow)
        images = torch.randint(0, 256, (3, *SHAPE), dtype=torch.uint8)
        assert torch.equal(read.predict(images), model.predict(images))

    def test_short_training_scores_it_alike_for_a_seed(self) -> None:
        first, second = (ShortTraining("digits#60")(self.record(), 2, 3) for _ in range(2))
        assert first.ok
        assert [*first.values] == ["accuracy", "loss"]
        assert first.values == second.values

    def test_training_needs_more_memory_than_a_pass(self) -> None:
        network = build(self.record(), SHAPE, OUTPUTS)
        assert peak_memory(network, SHAPE, 4, training=True) > peak_memory(network, SHAPE, 4) > 0
