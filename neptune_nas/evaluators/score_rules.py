"""The rules for what an evaluator returns, checked in the worker that called it."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import isfinite, isnan
from typing import Any

from neptune_nas.errors import TRACE, NeptuneError, OwnCodeError, description, one_line, shortened
from neptune_nas.evaluators.evaluator import Evaluator, code_of, traits_of
from neptune_nas.files.rules import as_plain
from neptune_nas.files.schema import check, cut, fits
from neptune_nas.metrics.registry import BY_NAME, Metric
from neptune_nas.metrics.score import Score

_OF_THE_CALL = ("fidelity", "seed", "started", "worker")  # an engine sets them


class _BrokenRuleError(OwnCodeError):
    """The error about a returned value that breaks a `rule`."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def _broken_rule(rule: str, found: object, remedy: str = "") -> _BrokenRuleError:
    return _BrokenRuleError(rule, f"{rule}, but returned {cut(found)}{remedy}.")


def checked_score(evaluator: Evaluator, found: object) -> Score:
    """Return the score that an evaluator returned, in Python's own types.

    Numbers of numpy and torch become Python's. For anything but a `Score`, and for a field that
    breaks its rule, the result is a failed score that names the rule.
    """
    rule = f"evaluator {code_of(evaluator).__name__} must return a `Score`"
    try:
        return _check_fields(found, rule, traits_of(evaluator).metrics)
    except _BrokenRuleError as wrong:
        return Score(fidelity=0, failure=str(wrong), rule=wrong.rule)
    except NeptuneError as wrong:
        failure = str(wrong)
    except Exception as error:  # the value is the user's object, and may do anything
        failure = f"{rule}, but reading what it returned failed: {description(error)}."
    return Score(fidelity=0, failure=failure)


def _check_fields(found: object, rule: str, metrics: Sequence[Metric]) -> Score:
    """Return a score in Python's own types; raises `NeptuneError` for anything else."""
    if not isinstance(found, Score):
        remedy = f'return Score(fidelity, {{"{metrics[0]}": ...}})'
        raise _broken_rule(rule, found, f": {remedy}")
    names = [each.name for each in fields(Score) if each.name not in _OF_THE_CALL]
    plain = {name: as_plain(getattr(found, name)) for name in names}
    values = plain.pop("values")
    for name, value in plain.items():
        try:
            check(Score(fidelity=0, **{name: value}), OwnCodeError)
        except OwnCodeError as wrong:
            why = f"{rule} that follows its rules: {wrong}"
            raise _BrokenRuleError(f"{rule} whose `{name}` follows its rule", why) from wrong
    score = Score(fidelity=0, **{name: _exact(value) for name, value in plain.items()})
    if score.failure is not None:
        why = one_line(score.failure) or "it gave no reason"
        return replace(score, failure=why)  # values of a failed score are not results
    if score.proxy is not None:
        main = "proxy"
    else:
        score, main = replace(score, values=_values(values, rule, metrics)), metrics[0].name
    if isnan(score.rank_value) or (score.proxy is not None and not isfinite(score.proxy)):
        return replace(score, values={}, proxy=None, failure=f"its {main} is not a number")
    return score


def _exact(value: Any) -> Any:
    """Return a subclass of float, which the coordinator may lack, as a float; cut a long text."""
    if isinstance(value, float):
        return float(value)
    return shortened(value, TRACE) if isinstance(value, str) else value


def _values(found: object, rule: str, metrics: Sequence[Metric]) -> dict[str, float]:
    """Return the values of metrics as floats, the main metric first."""
    if not isinstance(found, Mapping) or not all(type(name) is str for name in found):
        raise _broken_rule(f"{rule} whose `values` map names to numbers", found)
    main = metrics[0].name
    if main not in found:
        raise _broken_rule(f"{rule} whose `values` include `{main}`", dict(found))
    known = {**BY_NAME, **{each.name: each for each in metrics}}
    declared = [each.name for each in metrics if each.name in found]
    return {
        name: _number(found[name], rule, known.get(name) or Metric(name, name, source="scored"))
        for name in dict.fromkeys([*declared, *found])
    }


def _number(value: object, rule: str, metric: Metric) -> float:
    """Return a value as a float; raises `OwnCodeError` for one out of the metric's range."""
    number = as_plain(value)
    if not fits(number, float) or not (
        metric.admits(number) or isnan(number) or number == metric.worst
    ):
        what = "a share, a number in 0..1" if metric.unit == "share" else "a number"
        raise _broken_rule(f"{rule} whose `{metric}` is {what}", value)
    return float(number)
