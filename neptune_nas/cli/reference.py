"""`neptune-nas reference`."""

from typing import Annotated

import typer

from neptune_nas.cli.measuring import DryRun, Measuring, measuring, print_forecast, print_step
from neptune_nas.cli.terminal import print_line
from neptune_nas.cli.values import names
from neptune_nas.interrupts import ctrl_c_held

EXAMPLE = "Example: neptune-nas reference studies/default-digits --networks resnet8 --seeds 3"


@measuring
def reference(
    measure: Measuring,
    networks: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: resnet8, resnet20, mobilenet_v2, mobilenet_v3_small, "
            "shufflenet_v2_x0_5, shufflenet_v2_x1_0, squeezenet1_1, mnasnet0_5, resnet18, "
            "efficientnet_b0; plain-WIDTH, such as plain-8; for segmentation unet-WIDTH, "
            "lraspp_mobilenet_v3_small, lraspp_mobilenet_v3_large; for detection fcos-WIDTH, "
            "ssdlite_mobilenet_v3_small, ssdlite_mobilenet_v3_large (unless given: resnet8,"
            "resnet20,mobilenet_v3_small,shufflenet_v2_x0_5, or unet-4,unet-8,unet-16, or "
            "fcos-4,fcos-8,fcos-16)."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How often to train each.")] = 1,
    dry_run: DryRun = False,
) -> None:
    """Train hand-designed networks like a study's, for comparison."""
    from neptune_nas.cli.console import console, fail_unless_any
    from neptune_nas.cli.summary import references_table
    from neptune_nas.report.references import caveat
    from neptune_nas.trust.references import forecast_references, run_references

    search, named = measure.search(), None if networks is None else names(networks)
    if dry_run:
        print_forecast(search, forecast_references(search, named, seeds))
        return
    study = run_references(search, named, seeds, print_step)
    with ctrl_c_held():
        console().print(references_table(study))
        print_line("")
        print_line(caveat(study))
        print_line(f"Report: {study.folder / 'report.html'}")
    fail_unless_any((score for each in study.references for score in each.scores), "network")
