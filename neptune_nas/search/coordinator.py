"""The coordinator of a search, which asks, submits and tells, and alone writes to the study."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from neptune_nas.engine.engine import Call, Engine, Result
from neptune_nas.errors import StudyError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.interrupts import raise_held
from neptune_nas.samplers.problem import SpaceExhaustedError
from neptune_nas.search.proposals import Proposer
from neptune_nas.study.front import Front, insert_into_front, losses_of
from neptune_nas.study.objectives import rung_losses, values_of
from neptune_nas.study.rungs import Losses, Phase, Rungs
from neptune_nas.study.settings import Question
from neptune_nas.study.store import Store
from neptune_nas.study.trial import State, Trial

_HOPELESS = 10  # trials that fail for one reason before any has worked
_AHEAD = 1  # calls queued beyond the slots, so that no slot idles between two waits


class StopSearch(Exception):  # noqa: N818  # not an error, like `StopIteration`
    """An exception that a watcher raises to end the search, as if its time had run out.

    Results so far are written, `Search.run` returns the study, and the same search can be resumed.
    """


@dataclass(slots=True)
class Coordinator:
    """Keeps an engine busy with new architectures and promotions until the search is over.

    It is over at `budget` trials begun, after `seconds` of a session, or after `patience` useless
    trials in a row: those scored at the last rung that added nothing to the front. Trials that the
    search was told to try do not count, since it did not find them. `measure`: returns the costs of
    an architecture, counted and timed. `watch`: called after each result with its trial; may raise
    `StopSearch`. To resume after a crash, the unfinished calls are made again.
    """

    question: Question
    store: Store
    proposer: Proposer
    rungs: Rungs
    measure: Callable[[Any], Mapping[str, float]]
    budget: int
    seconds: float | None = None
    patience: int | None = None
    watch: Callable[["Coordinator", Trial], None] = lambda *_: None
    trials: dict[int, Trial] = field(init=False, default_factory=dict)
    scored: dict[int, dict[int, Losses]] = field(init=False)
    promoted: dict[int, set[int]] = field(init=False)
    unfinished: deque[tuple[int, int]] = field(init=False, default_factory=deque)
    front: Front = field(init=False, default_factory=list)
    useless: int = field(init=False, default=0)
    exhausted: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.scored = {level: {} for level in self.rungs.levels}
        self.promoted = {level: set() for level in self.rungs.levels}

    def load(self) -> None:
        """Load the trials of earlier sessions, and queue their unfinished calls."""
        earlier = self.store.sampler_records()
        self.trials = {trial.number: trial for trial, _ in earlier}
        for trial in self.trials.values():
            for level in self.rungs.levels:
                self._note(trial, level)
        self.proposer.load(
            ((trial, record, self._values(trial)) for trial, record in earlier),
            self.rungs.levels[-1],
        )
        for trial in sorted(self.trials.values(), key=lambda trial: trial.ended):
            if trial.state is State.RUNNING:
                self._go_on(trial)
            else:
                self._count_useless(trial)

    def run(self, engine: Engine) -> None:
        """Search until it is over.

        Errors of the engine are raised; results that it returned before are kept. When time runs
        out or the watcher stops the search, running evaluations are abandoned, and made again when
        the study is resumed.
        """
        end = None if self.seconds is None else monotonic() + self.seconds
        while True:
            self._fill(engine)
            if not engine.pending:
                break
            results = engine.wait(None if end is None else max(0.0, end - monotonic()))
            taken = [self._take(result) for result in results]  # all, before any is shown
            for trial in taken:
                self._refuse_hopeless(trial)
            enough = [self._is_enough(trial) for trial in taken]
            if any(enough) or (end is not None and monotonic() >= end):
                return
        self._settle()

    def _fill(self, engine: Engine) -> None:
        while len(engine.pending) < engine.slots + _AHEAD:
            raise_held()
            call = self._next(engine)
            if call is None:
                return
            engine.submit(call)

    def _next(self, engine: Engine) -> Call | None:
        """Return the next call: an unfinished one, a promotion, a new trial or a last promotion."""
        if self.unfinished:
            return self._call(*self.unfinished.popleft())
        if (promotion := self._promotion(engine)) is not None:
            return self._call(*promotion)
        if self._more_will_come():
            try:
                return self._call(self._begin(), self.rungs.levels[0])
            except SpaceExhaustedError:
                self.exhausted = True
                return self._next(engine)
        if not engine.pending and (promotion := self._promotion(engine, last=True)):
            return self._call(*promotion)
        return None

    def _more_will_come(self) -> bool:
        """Return whether new trials can still begin."""
        patient = self.patience is None or self.useless < self.patience
        return patient and not self.exhausted and len(self.trials) < self.budget

    def _promotion(self, engine: Engine, *, last: bool = False) -> tuple[int, int] | None:
        waiting = {
            number
            for number, trial in self.trials.items()
            if trial.state is State.RUNNING and number not in engine.pending
        }
        aims = self.question.aims
        lead = next((i for i, aim in enumerate(aims) if aim.is_scored), None)
        return self.rungs.promotable(
            self.scored,
            self.promoted,
            waiting,
            self._phase(),
            lead=lead if self.question.limited_aims else None,
            is_last_call=last,
        )

    def _phase(self) -> Phase:
        """Return the phase of the search, which tells rungs whether better trials may still come.

        A search that may end at any time does not wait for them. Neither does one with several
        scored objectives: below the last rung samplers are told only the first, so `auto` waits for
        trials that finish, and the sooner some do, the better. Everything else about a trial is
        known at its first rung.
        """
        if self.seconds or self.patience or sum(aim.is_scored for aim in self.question.aims) > 1:
            return Phase.OPEN
        return Phase.EARLY if self._more_will_come() else Phase.LATE

    def _begin(self) -> int:
        """Make the next proposal a trial, and return its number."""
        proposal = self.proposer.propose()
        trial = Trial(
            number=-1,
            architecture=proposal.architecture,
            key=proposal.key,
            values=self.measure(proposal.architecture),
            picks=proposal.picks,
            given=proposal.given,
        )
        trial = self.store.add(trial, proposal.distributions, proposal.system_attrs)
        self.proposer.began(proposal, trial)
        self.trials[trial.number] = trial
        return trial.number

    def _call(self, number: int, level: int) -> Call:
        trial = self.trials[number]
        for below in self.rungs.levels[: self.rungs.levels.index(level)]:
            self.promoted[below].add(number)
        seed = seed_for(self.question.seed, trial.key, len(trial.scores_at(level)))
        return Call(number, trial.architecture, level, seed)

    def _is_enough(self, trial: Trial) -> bool:
        """Show a trial to the watcher, and return whether it ends the search."""
        try:
            self.watch(self, trial)
        except StopSearch:
            return True
        return False

    def _take(self, result: Result) -> Trial:
        """Record a result, on disk first, and return its updated trial."""
        old, level, score = self.trials[result.call.id], result.call.fidelity, result.score
        scores = (*old.scores, score)
        trial = replace(old, scores=scores, failure=score.failure, trace=score.trace)
        self.trials[trial.number] = trial
        is_last = level == self.rungs.levels[-1]
        self.store.add_score(trial, is_last)
        self._note(trial, level)
        if score.ok and not is_last:
            self.proposer.tell_rung(trial)
        self._go_on(trial)
        return self.trials[trial.number]

    def _go_on(self, trial: Trial) -> None:
        """Finish a running trial that has all its scores, or queue the call that it lacks.

        A trial that waits at a rung is left unchanged. After a crash, this makes up for lost
        writes.
        """
        last = self.rungs.levels[-1]
        if trial.scores and not trial.scores[-1].ok:
            self._finish(trial, State.FAILED)
        elif len(trial.scores_at(last)) >= self.question.repeats:
            self._finish(trial, State.FINISHED)
        elif (missing := self._missing_level(trial)) is not None:
            self.unfinished.append((trial.number, missing))

    def _note(self, trial: Trial, level: int) -> None:
        """Record a trial's losses at a level, and its promotion from that level if it went on."""
        if scores := trial.scores_at(level):
            losses = rung_losses(self.question.aims, trial, scores)
            self.scored[level][trial.number] = losses
        if any(score.fidelity > level for score in trial.scores):
            self.promoted[level].add(trial.number)

    def _missing_level(self, trial: Trial) -> int | None:
        """Return the level at which a running trial lacks a score; None if none, or if it waits."""
        first, last = self.rungs.levels[0], self.rungs.levels[-1]
        if not trial.scores_at(first):
            return first
        done = len(trial.scores_at(last))
        return last if 0 < done < self.question.repeats else None

    def _finish(self, trial: Trial, state: State) -> None:
        trial = replace(trial, state=state)
        self.trials[trial.number] = trial
        values = self._values(trial)
        self.store.finish(trial, values if state is State.FINISHED else None)
        self.proposer.tell(trial, values)
        self._count_useless(trial)

    def _refuse_hopeless(self, trial: Trial) -> None:
        """Raise `StudyError` where no trial has ever worked and all fail for the same reason."""
        ended = [t for t in self.trials.values() if t.state is not State.RUNNING]
        if trial.failure is None or len(ended) < _HOPELESS or any(self.scored.values()):
            return
        if {_reason_of(each) for each in ended} == {_reason_of(trial)}:
            raise StudyError(
                f"all {len(ended)} trials failed for the same reason: {trial.failure.rstrip('.')}; "
                f"failures.txt in the study's folder says where. Fix that, then run the same "
                f"search to resume."
            )

    def _count_useless(self, trial: Trial) -> None:
        if trial.state is State.FINISHED:
            before, new = self.front, (trial, losses_of(self.question, trial))
            self.front = insert_into_front(before, new)
            if self.front is not before:
                self.useless = 0
            elif not trial.given:
                self.useless += 1

    def _settle(self) -> None:
        """Prune the trials that wait at a rung and will not be promoted."""
        for trial in list(self.trials.values()):
            if trial.state is State.RUNNING:
                self._finish(trial, State.PRUNED)

    def _values(self, trial: Trial) -> Sequence[float] | None:
        if trial.score is None or trial.state in (State.FAILED, State.RUNNING):
            return None
        return values_of(self.question.aims, trial)

    @property
    def has_work(self) -> bool:
        """True if trials are missing or unfinished."""
        is_running = any(trial.state is State.RUNNING for trial in self.trials.values())
        return len(self.trials) < self.budget or is_running


def _reason_of(trial: Trial) -> str | None:
    """Return the rule that an evaluator broke, else its failure; None where the trial worked."""
    rules = (score.rule for score in reversed(trial.scores) if score.rule)
    return next(rules, trial.failure)
