"""Resumption of a study: the search with its question, to continue or to measure more."""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from neptune_nas.architecture.fields import record_classes
from neptune_nas.data.load import refuse_download
from neptune_nas.errors import StudyError
from neptune_nas.evaluators.evaluator import Evaluator, traits_of
from neptune_nas.evaluators.parameters import parameters_of
from neptune_nas.evaluators.short_training import TRAINING
from neptune_nas.evaluators.tabular import table_in
from neptune_nas.files.atomic import check_inside, folder_name
from neptune_nas.files.regular import is_file
from neptune_nas.files.schema import cut, decode, located
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.models.start import Start, copy_in
from neptune_nas.models.teacher import is_code
from neptune_nas.search.config import Search
from neptune_nas.search.provenance import check_costs
from neptune_nas.space import Space
from neptune_nas.study.folder import Folder, open_folder, read_settings
from neptune_nas.study.own_code import may_run
from neptune_nas.study.read import read_study
from neptune_nas.study.settings import (
    Question,
    Settings,
    code_differences,
    parameter_differences,
    question_differences,
)
from neptune_nas.study.study import Study
from neptune_nas.text import as_typed
from neptune_nas.training.recipe import Recipe


def arguments_in(file: Path, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the arguments of `Search` that ask the question of a `study.toml` again.

    `given`: those to use in place of the study's, and the user's evaluator if it has one.
    Raises `StudyError` where that is missing, or is not the one that the study began with; and for
    a user's space or sampler that is not given, or another machine to measure latency on, unless
    this user began the study here. Raises `DataError` where data that only the file names would
    have to be downloaded.
    """
    settings, given = read_settings(file), given or {}
    own: Evaluator | None = given.get("evaluator")
    for name in ("space", "sampler"):
        if name not in given:
            or_allow = " or as `allow` (--allow)" if name == "space" else ""
            remedy = f"pass it as `{name}` (--{name}){or_allow}"
            _check_code(file, settings, name, getattr(settings.question, name), remedy)
    if "teacher" not in given and is_code(settings.facts.teacher):
        remedy = "continue the search once with it as `teacher` (--teacher)"
        _check_code(file, settings, "teacher", settings.facts.teacher, remedy)
    if "latency_on" not in given:
        _check_host(file, settings)
    _check_evaluator(file, settings.question, own)
    reads_images = table_in(settings.question.evaluator) is None and not hasattr(own, "bench")
    if "data" not in given and reads_images:
        refuse_download(settings.question.data, given.get("data_dir"), file)
    question = {name.name: getattr(settings.question, name.name) for name in fields(Question)}
    with located(file):
        recipe = decode(Recipe, question.pop("recipe"), "question.recipe")
    table, proxy = table_in(question.pop("evaluator")), question.pop("proxy")
    if (digest := question.pop("start")) and "start" not in given:
        given = {**given, "start": Start(digest, _copy_of(file, settings))}
    for name in ("evaluator_kwargs", "scored", "unit", "trains", "calibration"):
        del question[name]  # the evaluator itself determines them
    if not question.pop("teacher_digest"):
        del question["teacher_views"]
    if (target := settings.question.target) and "target" in given:  # another one has other limits
        asked = question["constraints"]
        question["constraints"] = [c for c in asked if parse_constraint(c) not in target.limits]
    more = {"recipe": recipe, "trials": settings.trials, "table": table, "proxy": proxy or None}
    more["teacher"] = settings.facts.teacher or None
    return {**question, **more, "evaluator": own, **given}


def _copy_of(file: Path, settings: Settings) -> Path:
    """Return the study's copy of the trained model that its networks start from."""
    copy = copy_in(Folder(file.parent).shared)
    check_inside(file.parent, [copy])
    if not is_file(copy):
        raise StudyError(
            f"{file}: networks start from {settings.facts.start}, but the copy {copy} is missing: "
            f"put that model there, or pass it as `start` (--first) to `neptune-nas search`."
        )
    return copy


def _check_code(file: Path, settings: Settings, name: str, where: str, remedy: str) -> None:
    """Refuse to run a user's code that only the study in `file` names, as its `name`."""
    if not may_run(Folder(file.parent), settings, where):
        raise StudyError(
            f"{file}: `{name}` is {cut(where)}, code that you have not run for this study here, or "
            f"that has changed since then: if you trust it, {remedy}."
        )


def _check_host(file: Path, settings: Settings) -> None:
    """Refuse to connect to a machine that only the study in `file` names."""
    where = settings.question.latency_on
    if not may_run(Folder(file.parent), settings, where):
        raise StudyError(
            f"{file}: `latency_on` is {cut(where)}, a machine that you have not measured on for "
            f"this study here: if you trust it, continue the search with that as `latency_on` "
            f"(--latency-on) once."
        )


def _check_evaluator(file: Path, question: Question, own: Evaluator | None) -> None:
    """Refuse an evaluator that is missing, or differs from that of the study in `file`."""
    asked = question.evaluator
    if own is None and asked != TRAINING.name and table_in(asked) is None:
        raise StudyError(
            f"{file}: `evaluator` is {asked}, but got none: pass it as `evaluator` "
            f"(--evaluator), with the arguments it had."
        )
    if own is not None and (name := traits_of(own).name) != asked:
        raise StudyError(
            f"{file}: `evaluator` is {asked}, but got {name}: use what the study began with."
        )
    for what, ours, theirs in parameter_differences(question.evaluator_kwargs, parameters_of(own)):
        raise StudyError(
            f"{file}: {what} is {theirs!r}, but got {ours!r}: use what the study began with."
        )


def search_of(
    path: str | Path,
    storage: str | None = None,
    space: str | Space[Any] | None = None,
    evaluator: Evaluator | None = None,
    data_dir: str | Path | None = None,
) -> Search:
    """Return the search that made the study at `path`, so that more can be measured.

    `storage`: the URL of the study's database, with its password. `space`: the present place of the
    study's space, if it has moved, or to allow its code. `evaluator`: the user's own, if the study
    began with one. `data_dir`: the folder of data sets, see `load_data`. Raises as `arguments_in`
    does; but a sampler that may not be run is replaced, since measuring more needs none.
    """
    path = Path(path)
    folder = open_folder(path)
    place = path if path.name not in ("", "..") else Path(os.path.realpath(path))
    settings = read_settings(folder.settings)
    given: dict[str, Any] = {"evaluator": evaluator, "data_dir": data_dir}
    given |= {"space": space} if space else {}
    if not may_run(folder, settings, settings.question.sampler):
        given |= {"sampler": "auto", "sampler_kwargs": {}}
    asked = arguments_in(folder.settings, given)
    if (plain := folder_name(place.name)) != place.name:
        raise StudyError(f"{path} must be named as a study is, such as {plain}: rename it.")
    return Search(
        **asked,
        name=place.name,
        out=place.parent,
        storage=storage,
    )


def study_of(search: Search) -> Study:
    """Return the study of a search that has begun, with the records of the search's space."""
    allow = tuple(record_classes(search.found_space.template))
    return read_study(search.folder.path, search.storage, allow)


def check_same(search: Search, study: Study) -> None:
    """Refuse further measurements for a study with another question, data set or space."""
    settings, facts = study.settings, study.settings.facts
    # The space may have moved; the fingerprint tells whether it is the same. No sampler is used.
    then = settings.question
    asked = replace(
        search.question,
        space=then.space,
        sampler=then.sampler,
        sampler_kwargs=then.sampler_kwargs,
    )
    for what, ours, theirs in (
        *question_differences(settings.question, asked),
        *code_differences(facts.code, search.assembly.code),
        ("data", search.assembly.bench.fingerprint, facts.data_fingerprint),
        ("space", search.found_space.fingerprint, facts.space_fingerprint),
    ):
        if ours != theirs:
            raise StudyError(
                f"study {search.folder.path} was started with {what} {as_typed(theirs)}, but now "
                f"it is {as_typed(ours)}: its scores cannot be compared with new ones."
            )
    check_costs(search.folder.path, study.trials, search.assembly.costs.counted)
