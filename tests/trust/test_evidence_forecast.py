"""What a search would measure after its trials, before it begins."""

from dataclasses import replace
from pathlib import Path

from neptune_nas.search.dry_run import dry_run
from neptune_nas.trust.evidence import Evidence, add_evidence
from neptune_nas.trust.evidence_forecast import forecast_evidence
from tests.trust.test_evidence import asked


def test_networks_that_are_trained_already_are_not_forecast_again(tmp_path: Path) -> None:
    search = asked(tmp_path, constraints=("flops<=400k",))
    wanted = Evidence(confirm=0)
    first = forecast_evidence(search, dry_run(search), wanted)
    study = add_evidence(search, search.run(), wanted)
    assert (first.networks, first.is_exact) == (len(study.references), True)
    longer = replace(search, trials=20)
    assert forecast_evidence(longer, dry_run(longer), wanted).networks == 0
