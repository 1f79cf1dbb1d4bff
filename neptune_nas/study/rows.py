"""The trials of a study as the database holds them, read by a few plain queries.

Optuna makes an object of each row and another of each trial, and keeps both: for 10,000 trials,
that takes 17 CPU-seconds and a gigabyte.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import TrialState
from sqlalchemy import Connection, TableClause, column, select, table

_BATCH = 500  # trials whose rows are in memory at once


def _table(name: str, *columns: str) -> TableClause:
    return table(name, *map(column, columns))


_TRIALS = _table("trials", "trial_id", "study_id", "number", "state")
_PICKS = _table(
    "trial_params", "trial_id", "param_name", "param_value", "distribution_json", "param_id"
)
_ATTRIBUTES = _table("trial_user_attributes", "trial_id", "key", "value_json")
_RECORDS = _table("trial_system_attributes", "trial_id", "key", "value_json")


@dataclass(slots=True)
class TrialRow:
    """One trial as it is stored.

    `attributes`, and the `system_attributes` that a sampler recorded, are JSON texts by name.
    """

    id: int
    number: int
    state: TrialState
    picks: dict[str, Any] = field(default_factory=dict)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    system_attributes: dict[str, str] = field(default_factory=dict)


def read_rows(connection: Connection, study_id: int) -> Iterator[TrialRow]:
    """Yield the trials of a study, in the order they began."""
    columns = _TRIALS.c.number, _TRIALS.c.trial_id, _TRIALS.c.state
    result = connection.execute(select(*columns).where(_TRIALS.c.study_id == study_id))
    trials, fields = sorted(map(tuple, result)), _Fields()
    for start in range(0, len(trials), _BATCH):
        batch = {
            id_: TrialRow(id_, number, TrialState[state])
            for number, id_, state in trials[start : start + _BATCH]
        }
        _fill(connection, batch, fields)
        yield from batch.values()


def orphan_id(connection: Connection, last_id: int) -> Any:
    """Return the id above `last_id` of a trial that has attributes but no row, or None.

    Servers allow no such rows.
    """
    if connection.dialect.name != "sqlite":
        return None
    id_ = _ATTRIBUTES.c.trial_id
    orphans = select(id_).where(id_ > last_id, id_.not_in(select(_TRIALS.c.trial_id)))
    return connection.execute(orphans.limit(1)).scalar()


def _fill(connection: Connection, batch: dict[int, TrialRow], fields: "_Fields") -> None:
    """Read what belongs to some trials, by id."""
    for id_, name, value, form, _ in _rows_of(connection, _PICKS, batch):
        options = fields[form]
        batch[id_].picks[name] = options[value]
        batch[id_].distributions[name] = options.distribution
    for id_, name, text in _rows_of(connection, _ATTRIBUTES, batch):
        batch[id_].attributes[name] = text
    for id_, name, text in _rows_of(connection, _RECORDS, batch):
        batch[id_].system_attributes[name] = text


def _rows_of(
    connection: Connection, source: TableClause, batch: dict[int, TrialRow]
) -> Iterable[Sequence[Any]]:
    """Return the rows of a table that belong to a batch, in the order they were written."""
    ids, last = source.c.trial_id, [*source.c][-1]
    in_batch = ids.between(min(batch), max(batch))  # a list of ids is slower, and may be too long
    rows = connection.execute(select(*source.c).where(in_batch).order_by(ids, last)).yield_per(50)
    return rows if len(batch) > max(batch) - min(batch) else (r for r in rows if r[0] in batch)


class _Options(dict[float, Any]):
    """The options of one open field, by the number that stands for each in the database."""

    def __init__(self, distribution: BaseDistribution) -> None:
        super().__init__()
        self.distribution = distribution

    def __missing__(self, value: float) -> Any:
        option = self[value] = self.distribution.to_external_repr(value)
        return option


class _Fields(dict[str, _Options]):
    """The options of open fields, by the JSON that each row repeats; decoded once."""

    def __missing__(self, form: str) -> _Options:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Optuna warns of options that no search writes
            options = self[form] = _Options(json_to_distribution(form))
        return options
