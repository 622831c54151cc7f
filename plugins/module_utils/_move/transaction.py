# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction: a table of steps, one journal, one commit (private to the collection).

A journal is a list of attempts, each with a goal: the engine that shall own the workload. Each step is journaled before
and after. What fails before the commit is undone in reverse, past undos that fail themselves; after the commit there is
only forward. An attempt that ends without a commit or a rollback is that of an interrupted run: whoever finds it undoes
it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

from .._common.json import Json
from .._common.signals import deaf, require_undisturbed
from .._state.journal import (
    TIME,
    Notes,
    append_journal,
    attempts,
    begun,
    has_event,
    interrupted,
    notes,
    owner,
    read_journal,
    settled,
    steps_with,
)

FAILED_UNDO = "undo failed: "
"""With the name of a step, a note for undos: an earlier try of that step's undo came to its end, and failed."""


class Step(NamedTuple):
    """One step.

    ``done`` only reads. ``do`` can be repeated; what it returns is journaled. ``undo`` can be repeated, also after a
    ``do`` that was cut off half-way. All need nothing but the notes.
    """

    name: str
    done: Callable[[Notes], bool]
    do: Callable[[Notes], Json | None]
    undo: Callable[[Notes], None]


class Ran(NamedTuple):
    """A step that ran, for how long, and what it returned."""

    name: str
    seconds: float
    data: Json


class RolledBack(Exception):
    """The transaction failed and was undone. The message is the reason; ``failures`` are the undos that failed."""

    def __init__(self, reason: str, failures: list[str]) -> None:
        super().__init__(reason)
        self.failures = failures


class Unfinished(Exception):
    """A step after the commit failed: nothing is undone, the next run goes on from there."""


def explain(error: Exception) -> str:
    """The sentence of an error; those not meant for users get their type before it."""
    foreseen = type(error).__module__.startswith("ansible_collections.")
    return str(error) if foreseen else "{0}: {1}".format(type(error).__name__, error)


class Transaction:
    """The steps of one workload towards a goal, before the commit and after it, and their journal."""

    def __init__(
        self, journal: Path, plan_hash: str, aim: str, before: Sequence[Step], after: Sequence[Step] = ()
    ) -> None:
        self._journal = journal
        self._plan_hash = plan_hash
        self._aim = aim
        self._before = before
        self._after = after
        self.ran: list[Ran] = []
        self.began: dict[str, float] = {}
        """When each step began, in seconds of the epoch; also of those that failed."""
        self.undone: dict[str, float] = {}
        """When each step that this run undid was undone, in seconds of the epoch."""

    def pending(self, record: Json) -> list[str]:
        """The steps that ``run`` would do, in order. Reads only; ``record`` is what the first step would return."""
        events = read_journal(self._journal)
        if owner(events) == self._aim:
            steps, found = list(self._after), notes(settled(events))
        else:
            steps, found = [*self._before, *self._after], {self._before[0].name: record}
        return [step.name for step in steps if not step.done(found)]

    def run(self, commit: Callable[[Notes], Json]) -> None:
        """Everything that is left to do. ``commit`` returns the data of the commit's record.

        Raises RolledBack when a step before the commit fails, Unfinished when one after it does.
        """
        events = read_journal(self._journal)
        if interrupted(events):
            raise ValueError("an interrupted transaction is undone first")
        found = notes(settled(events)) if owner(events) == self._aim else self._reach(commit)
        try:
            for step in self._after:
                self._do(step, found)
        except Exception as error:
            raise Unfinished(explain(error)) from error

    def undo(self, reason: str) -> list[str]:
        """Undo what the last attempt has begun, last step first; the sentences of the undos that failed.

        Only when all of them succeeded the journal says so; otherwise the next run tries the others again.
        """
        events = attempts(read_journal(self._journal))[-1]
        if has_event(events, "commit"):
            raise ValueError("a committed transaction is not undone")
        found = {**notes(events), **{FAILED_UNDO + name: {} for name in steps_with(events, "undo_failed")}}
        left = begun(events) - steps_with(events, "undone")
        failures: list[str] = []
        with deaf():
            for step in reversed(self._before):
                if step.name in left:
                    self._undo(step, found, failures)
            if not failures:
                self._try("rollback", failures, lambda: self._write("rollback", "rollback", {"reason": reason}))
        return failures

    def _reach(self, commit: Callable[[Notes], Json]) -> Notes:
        found: Notes = {}
        self._write("begin", "begin", {"goal": self._aim})
        try:
            for step in self._before:
                require_undisturbed()
                self._do(step, found)
            require_undisturbed()
            self._write("commit", "commit", {"goal": self._aim, **commit(found)})
        # Whatever happened, an application stands still until it is undone.
        except Exception as error:
            if owner(read_journal(self._journal)) == self._aim:
                raise Unfinished(explain(error)) from error
            raise RolledBack(explain(error), self.undo(explain(error))) from error
        return found

    def _do(self, step: Step, found: Notes) -> None:
        if step.done(found):
            return
        begin = time.monotonic()
        self.began[step.name] = time.time()
        self._write(step.name, "do")
        try:
            found[step.name] = step.do(found) or {}
        except Exception as error:
            self._write(step.name, "failed", {"reason": explain(error)})
            raise
        self._write(step.name, "done", found[step.name])
        self.ran.append(Ran(step.name, round(time.monotonic() - begin, 2), found[step.name]))

    def _undo(self, step: Step, found: Notes, failures: list[str]) -> None:
        # A full disk refuses the journal, but must not keep an application from coming back.
        self._try(step.name, failures, lambda: self._write(step.name, "undo"))
        event = "undone" if self._try(step.name, failures, lambda: step.undo(found)) else "undo_failed"
        if event == "undone":
            self.undone[step.name] = time.time()
        self._try(step.name, failures, lambda: self._write(step.name, event))

    def _try(self, name: str, failures: list[str], action: Callable[[], None]) -> bool:
        try:
            action()
        except Exception as error:
            failures.append("{0}: {1}".format(name, explain(error)))
            return False
        return True

    def _write(self, step: str, event: str, data: Json | None = None) -> None:
        now = time.strftime(TIME, time.gmtime())
        record = {"plan": self._plan_hash, "time": now, "step": step, "event": event, "data": data or {}}
        append_journal(self._journal, record)
