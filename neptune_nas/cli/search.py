"""`neptune-nas search`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neptune_nas.cli.console import Quiet, fail_unless_any, stoppable
from neptune_nas.cli.first import First, first_in
from neptune_nas.cli.recipe import (
    RecipeName,
    Set,
    Teacher,
    TeacherViews,
    Track,
    recipe_of,
    teacher_of,
)
from neptune_nas.cli.study import (
    DataDir,
    Device,
    EngineName,
    EvaluatorClass,
    EvaluatorKwargs,
    Gpus,
    Jobs,
    Threads,
    TrialsPerGpu,
    evaluator_of,
    is_scored,
    storage_from_environment,
)
from neptune_nas.cli.terminal import print_line
from neptune_nas.cli.values import json_object, names, seconds, whole_numbers
from neptune_nas.errors import OptionError
from neptune_nas.files.rules import Count, Size
from neptune_nas.files.schema import check_value
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.metrics.registry import NAMES, OBJECTIVES, SIZES

if TYPE_CHECKING:
    from neptune_nas.search.config import Search
    from neptune_nas.study.progress import Progress

EXAMPLE = "Example: neptune-nas search --space default --data digits --trials 200"

Space = Annotated[
    str | None,
    typer.Option(
        help="Its name, a FILE.py, FILE.py:SPACE or package.module:SPACE (default: auto, which is "
        "scaled to the images and limits, for your own data or a microcontroller; else default).",
        metavar="SPACE",
    ),
]
Trials = Annotated[
    int | None,
    typer.Option("--trials", "--n-trials", help="Total trials of the study (default: 200)."),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="digits, digits-scenes, digits-boxes, mnist, fashion-mnist, cifar10, cifar100, "
        "folder:PATH or tensors:FILE; with #COUNT after it, only that many training images."
    ),
]
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="classification; segmentation of digits-scenes or of a folder with masks; or "
        "detection in digits-boxes or in a folder with boxes (default: what the data are for).",
    ),
]
StudyName = Annotated[str | None, typer.Option(help="Default: SPACE-DATA.", metavar="NAME")]
Out = Annotated[Path, typer.Option(help="The folder of all studies.", metavar="DIR")]
Storage = Annotated[
    str | None,
    typer.Option(
        help="A database instead of the folder's study.db (default: $NEPTUNE_STORAGE if set).",
        metavar="URL",
    ),
]
Sampler = Annotated[
    str | None,
    typer.Option(
        help="auto, evolution, local, nsga2, random; Optuna's tpe, gp, nsga3, qmc, brute-force; "
        "or FILE.py:Class or package.module:Class (default: auto)."
    ),
]
SamplerKwargs = Annotated[
    str | None, typer.Option(help="Arguments of the sampler as a JSON object.", metavar="JSON")
]
Objectives = Annotated[
    str | None,
    typer.Option(
        help=f"Comma-separated: {', '.join(NAMES)}, or a metric of your own evaluator; latency "
        f"is processor time of one thread (default: {','.join(OBJECTIVES)}; miou,flops for "
        f"segmentation, map50,flops for detection; --target has others)."
    ),
]
Constraint = Annotated[
    list[str] | None,
    typer.Option(help='Such as "flops<=20M" or "latency<=5ms"; may be given several times.'),
]
Epochs = Annotated[
    int | None, typer.Option(help="Epochs of each short training (default: depends on the data).")
]
RungsOption = Annotated[
    str | None,
    typer.Option("--rungs", help="Epochs after which the best third is promoted, such as 1,3,9."),
]
ProxyOption = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        help="What rung 0 measures, as in --rungs 0,1,3: synflow (default), naswot, jacov, "
        f"grad-norm, zen-score, or a size ({', '.join(each.name for each in SIZES)}).",
    ),
]
TableOption = Annotated[
    Path | None,
    typer.Option(
        "--table",
        help="A table (CSV or JSON, may be gzipped) to look networks up in instead of training.",
        metavar="FILE",
    ),
]
Reduction = Annotated[
    str | None,
    typer.Option(
        help="One trial in this many is promoted from each rung (default: 3); or one number for "
        "each rung but the last, as in 5,2."
    ),
]
RepeatSeeds = Annotated[
    int | None, typer.Option(help="Seeds to score each trial with at the last rung.")
]
Confirm = Annotated[
    int | None,
    typer.Option(
        help="After the trials, score those that the answer rests on again until each has 3 seeds, "
        "with at most N evaluations in total (default: half of what the trials took; 0: none).",
        metavar="N",
    ),
]
NoYardstick = Annotated[
    bool,
    typer.Option("--no-yardstick", help="Train no plain networks to compare the search with."),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        help="A device to search for, by its name in `neptune-nas targets`, or the .toml file of "
        "your own board: sets constraints on its memory, objectives, and a space that it can run.",
        metavar="NAME",
    ),
]
LatencyOn = Annotated[
    str | None,
    typer.Option(
        help="Where latency is measured: torch, or the file in onnxruntime, litert or litert-int8, "
        "here or as in litert+ssh://pi@raspberrypi.local (default: torch, or the "
        "target's runtime here).",
        metavar="PLACE",
    ),
]
LatencyCsv = Annotated[
    Path | None,
    typer.Option(
        "--latency-csv",
        help="Measured latencies (CSV: architecture, latency_ms) to predict from.",
        metavar="FILE",
    ),
]
Seed = Annotated[int | None, typer.Option(help="Seed of the study (default: 0).")]
Timeout = Annotated[
    str | None,
    typer.Option(
        help="Stop the trials after 90s, 30m or 2h; where that cuts them short, what follows them "
        "is skipped. The same command resumes."
    ),
]
TrialTimeout = Annotated[str | None, typer.Option(help="Abort an evaluation that takes longer.")]
Patience = Annotated[
    int | None,
    typer.Option(
        help="Stop after this many trials in a row at the last rung that do not improve the front."
    ),
]
Config = Annotated[
    Path | None, typer.Option(help="A study.toml whose settings to repeat.", metavar="FILE")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan, and stop.")]
Verbose = Annotated[
    bool,
    typer.Option(
        "-v", "--verbose", help="Print each result and its trial, and the traceback of a failure."
    ),
]


def search(
    space: Space = None,
    trials: Trials = None,
    data: Data = None,
    task: TaskName = None,
    data_dir: DataDir = None,
    study_name: StudyName = None,
    out: Out = Path("studies"),
    storage: Storage = None,
    sampler: Sampler = None,
    sampler_kwargs: SamplerKwargs = None,
    objectives: Objectives = None,
    constraint: Constraint = None,
    target: TargetOption = None,
    latency_on: LatencyOn = None,
    latency_csv: LatencyCsv = None,
    first: First = None,
    epochs: Epochs = None,
    rungs: RungsOption = None,
    proxy: ProxyOption = None,
    reduction: Reduction = None,
    table: TableOption = None,
    evaluator: EvaluatorClass = None,
    evaluator_kwargs: EvaluatorKwargs = None,
    repeat_seeds: RepeatSeeds = None,
    confirm: Confirm = None,
    no_yardstick: NoYardstick = False,
    engine: EngineName = "local",
    jobs: Jobs = None,
    threads: Threads = None,
    gpus: Gpus = None,
    trials_per_gpu: TrialsPerGpu = None,
    device: Device = "auto",
    seed: Seed = None,
    timeout: Timeout = None,
    trial_timeout: TrialTimeout = None,
    patience: Patience = None,
    recipe: RecipeName = None,
    values: Set = None,
    teacher: Teacher = None,
    teacher_views: TeacherViews = None,
    tracker: Track = None,
    config: Config = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Search a space, or continue a study. The same command resumes it."""
    check_value(confirm, Count | None, "--confirm")
    given: dict[str, Any] = {
        "space": space,
        "trials": trials,
        "data": data,
        "task": task,
        "data_dir": data_dir,
        "name": study_name,
        "out": out,
        "storage": storage,
        "sampler": sampler,
        "sampler_kwargs": json_object(sampler_kwargs, "--sampler-kwargs") or None,
        "objectives": None if objectives is None else names(objectives),
        "constraints": tuple(constraint) if constraint else None,
        "target": target,
        "latency_on": latency_on,
        "latency_csv": latency_csv,
        **first_in(first),
        "rungs": _rungs(epochs, rungs),
        "proxy": proxy,
        "reduction": None if reduction is None else whole_numbers(reduction, "--reduction"),
        "table": table,
        "evaluator": evaluator_of(evaluator, evaluator_kwargs),
        "repeats": repeat_seeds,
        "engine": engine,
        "jobs": jobs,
        "threads": threads,
        "gpus": None if gpus is None else whole_numbers(gpus, "--gpus", "0,1"),
        "trials_per_gpu": trials_per_gpu,
        "device": device,
        "seed": seed,
        "timeout": seconds(timeout, "--timeout"),
        "trial_timeout": seconds(trial_timeout, "--trial-timeout"),
        "patience": patience,
        **teacher_of(teacher, teacher_views, known=config is not None),
    }
    run(
        config,
        {name: value for name, value in given.items() if value is not None},
        (not no_yardstick, confirm),
        Show(dry_run, quiet, verbose, tracker),
        lambda search: with_recipe(search, recipe, values),
    )


def _rungs(epochs: int | None, rungs: str | None) -> tuple[int, ...] | None:
    """Return the rungs requested by `--epochs` or `--rungs`."""
    if epochs is None:
        return None if rungs is None else whole_numbers(rungs, "--rungs")
    if rungs is not None:
        raise OptionError(
            "--epochs and --rungs exclude each other: --rungs 1,3,9 ends at 9 epochs."
        )
    check_value(epochs, Size, "--epochs")
    return (epochs,)


@dataclass(frozen=True, slots=True)
class Show:
    """The options of how much to run and to print."""

    dry_run: bool
    quiet: bool
    verbose: bool
    tracker: str | None = None


def with_recipe(search: "Search", name: str | None, values: list[str] | None) -> "Search":
    """Return the search with the recipe of `--recipe` and `--set`.

    Raises `OptionError` for a recipe where nothing is trained.
    """
    recipe = recipe_of(name, values, lambda: search.used_recipe)
    if recipe is None:
        return search
    if not search.traits.trains:
        raise OptionError(
            f"--recipe and --set say how networks are trained, but '{search.traits.name}' trains "
            f"none: leave them out."
        )
    return replace(search, recipe=recipe)


def run(
    config: Path | None,
    given: dict[str, Any],
    evidence: tuple[bool, int | None],
    show: Show,
    change: Callable[["Search"], "Search"],
) -> None:
    """Run or plan the search of the options, with the config's question as their defaults.

    `evidence`: the fields of an `Evidence`. `change`: returns the search with further options.
    """
    with ctrl_c_held():
        from neptune_nas.cli.confirming import evidence_lines
        from neptune_nas.cli.measuring import print_step
        from neptune_nas.cli.progress import say, watching
        from neptune_nas.cli.summary import print_plan, print_study
        from neptune_nas.data.names import reading_note
        from neptune_nas.search.config import Search, ignore
        from neptune_nas.search.dry_run import dry_run
        from neptune_nas.search.resume import arguments_in
        from neptune_nas.trackers.tracker import check_tracker, tracking
        from neptune_nas.trust.confirm import usual_goal
        from neptune_nas.trust.evidence import Evidence, add_evidence

    if show.tracker is not None:
        check_tracker(show.tracker)
    search = Search(**(arguments_in(config, given) if config else given))
    own_data = "" if config is None or "data" in given else search.question.data
    if not show.quiet and (note := reading_note(own_data, str(config))):
        say(note)
    if search.storage is None and (url := storage_from_environment(search.folder)):
        search = replace(search, storage=url)
    search = change(search)
    wanted = Evidence(*evidence)
    if wanted.confirm:
        usual_goal(search)  # refuses an unconfirmable search before it starts
    if show.dry_run:
        planned = dry_run(search, say)
        print_plan(planned, verbose=show.verbose)
        for line in evidence_lines(search, planned, wanted):
            print_line(line)
        return
    folder = search.folder.path
    with stoppable("scored", folder, lambda: is_scored(folder, search.storage)):
        with (
            tracking(show.tracker, folder, say) as tracked,
            watching(folder, quiet=show.quiet, verbose=show.verbose) as watch,
        ):

            def watch_and_track(progress: "Progress") -> None:
                tracked.add_result(progress)
                watch(progress)

            study = search.run(watch_and_track, ignore if show.quiet else say)
        hear, tell = (ignore, ignore) if show.quiet else (print_step, say)
        study = add_evidence(search, study, wanted, hear, tell)
    if not show.quiet:
        with ctrl_c_held():  # the last lines say where the results are
            print_study(study, search.patience)
    fail_unless_any((score for trial in study.trials for score in trial.scores), "trial")
