import pytest

from neptune_nas.errors import OptionError
from tests.study.builders import SPACE, question, subject_of


def test_a_space_that_nothing_of_keeps_the_constraints_has_no_facts() -> None:
    with pytest.raises(OptionError, match="none of 1,000 random architectures meets flops < 1"):
        subject_of(question(constraints=("flops<1",))).facts()


def test_facts_are_of_the_space_the_images_and_the_device() -> None:
    facts = subject_of(question(constraints=("flops<=1M",))).facts()
    assert facts.space_fingerprint == SPACE.fingerprint
    assert (facts.data_fingerprint, facts.device) == ("abc", "cpu")
    assert facts.reference == (0.1, 1e6)


@pytest.mark.parametrize(
    "asked", [{"objectives": ("accuracy", "latency")}, {"constraints": ("latency<=9s",)}]
)
def test_latency_is_measured_where_it_is_asked_about(asked: dict[str, tuple[str, ...]]) -> None:
    assert (subject_of(question(**asked)).gauge.latency(SPACE[0]) or 0) > 0
    assert subject_of(question()).gauge.latency(SPACE[0]) is None


def test_a_sampler_is_asked_what_keeps_the_constraints_and_refuses_unknown_options() -> None:
    subject = subject_of(question(constraints=("params<=1",), sampler_kwargs={"n": 1}))
    assert not subject.problem.admits(SPACE[0])
    with pytest.raises(OptionError, match="sampler 'auto' has no option `n`"):
        subject.sampler()


def test_what_is_remembered_of_costs_is_remembered_once() -> None:
    subject = subject_of(question())
    assert subject.gauge is subject.gauge
    assert subject.surveyed is subject.surveyed
