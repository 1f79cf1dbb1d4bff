"""The agreement of every format of exported models with the network's own logits.

python -m benchmarks.export_agreement            # 20 architectures of every shipped space
python -m benchmarks.export_agreement 3 tiny     # 3 of one

Architectures are uniform samples with random weights, on five images of 32x32 pixels (224x224 for
`imagenet` and 96x96 for `micro96`, which are made for them), or as large as the architecture needs;
graphs are traced with two images. The table has the largest difference
of a logit from the network's, how many files failed or differ by more than 1e-4, and for comparison
the largest difference between the network in float32 and in float64.
"""

import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import torch

from neptune_nas.errors import NeptuneError
from neptune_nas.models.export.pt2 import trace
from neptune_nas.nn.builder import least_size
from neptune_nas.space import find_space, list_spaces
from tests.models.export.forms import FORMS, random_model, run

COUNT, IMAGES, TOLERANCE = 20, 5, 1e-4
# pixels; in maps of one or two, norms magnify rounding
SIDE, SIDES = 32, {"imagenet": 224, "micro96": 96}
FAILED = float("inf")
ROUNDING = "(float32, float64)"


def differences(space: str, seed: int) -> dict[str, float]:
    """Return the largest difference of a logit by format, for one architecture of a space."""
    architecture = find_space(space).sample(Random(seed))
    side = max(SIDES.get(space, SIDE), least_size(architecture))
    model = random_model(architecture, (3, side, side), seed)
    images = torch.rand(IMAGES, 3, side, side, generator=torch.Generator().manual_seed(seed))
    expected, program = run(model.classifier(), images), trace(model)
    found = dict.fromkeys(FORMS, FAILED)
    exact = run(model.classifier().double(), images.double())
    found[ROUNDING] = float((exact - expected).abs().max())
    for name, form in FORMS.items():
        with TemporaryDirectory() as folder:
            try:
                logits = form(model, program, images, Path(folder))
                found[name] = float((logits - expected).abs().max())
            except NeptuneError as error:
                print(f"{space}, seed {seed}, {name}: {error}", file=sys.stderr)
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    print(f"{'space':<16}{'form':<20}{'networks':>9}{'largest difference':>20}{'failed':>8}")
    for space in sys.argv[2:] or list_spaces():
        every = [differences(space, seed) for seed in range(count)]
        for form in (*FORMS, ROUNDING):
            values = [found[form] for found in every]
            failed = sum(value > TOLERANCE for value in values)
            print(f"{space:<16}{form:<20}{count:>9}{max(values):>20.1e}{failed:>8}", flush=True)


if __name__ == "__main__":
    main()
