"""`neptune-nas reference`."""

from typing import Annotated

import typer

from neptune_nas.cli.measuring import Measuring, measuring
from neptune_nas.cli.values import names

EXAMPLE = "Example: neptune-nas reference studies/default-digits --networks resnet8 --seeds 3"


@measuring
def reference(
    measure: Measuring,
    networks: Annotated[
        str,
        typer.Option(
            help="With commas between: resnet8, resnet20, mobilenet_v2, mobilenet_v3_small, "
            "shufflenet_v2_x0_5, shufflenet_v2_x1_0, squeezenet1_1, mnasnet0_5, resnet18, "
            "efficientnet_b0."
        ),
    ] = "resnet8,resnet20,mobilenet_v3_small,shufflenet_v2_x0_5",
    seeds: Annotated[int, typer.Option(help="How often to train each.")] = 1,
) -> None:
    """Train hand-designed networks as the study does: is what it found any better?"""
    from neptune_nas.cli.console import console
    from neptune_nas.cli.summary import references_table
    from neptune_nas.report.references import accuracy_text, caveat, seeds_text
    from neptune_nas.trust.references import run_references

    err, out = console(stderr=True), console()
    study = run_references(
        measure.search(),
        names(networks),
        seeds,
        lambda done, total, each: err.print(
            f"{done} of {total} trained: {each.name} {accuracy_text(each)}, {seeds_text(each)}",
            soft_wrap=True,
        ),
    )
    out.print(references_table(study))
    out.print(f"\n{caveat(study)}")
    typer.echo(f"Report: {study.folder / 'report.html'}")
