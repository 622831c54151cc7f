# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction: a table of steps, one journal, one commit (private to the collection).

Each step is journaled before and after. What fails before the commit is undone in reverse, past undos that fail
themselves; after the commit there is only forward. A journal that ends without a commit or a rollback is that of an
interrupted run: whoever finds it undoes it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import append_journal, read_journal

Data = Dict[str, Any]
Notes = Dict[str, Data]
"""What the steps of this attempt returned, by the name of the step, as the journal holds it."""

NEW = "new"
INTERRUPTED = "interrupted"
COMMITTED = "committed"


class Step(NamedTuple):
    """One step.

    ``done`` only reads. ``do`` can be repeated; what it returns is journaled. ``undo`` can be repeated, also after a
    ``do`` that was cut off half-way, and needs nothing but the notes.
    """

    name: str
    done: Callable[[], bool]
    do: Callable[[Notes], Data | None]
    undo: Callable[[Notes], None]


class Ran(NamedTuple):
    """A step that ran, and for how long."""

    name: str
    seconds: float


class RolledBack(Exception):
    """The transaction failed and was undone. The message is the reason; ``failures`` are the undos that failed."""

    def __init__(self, reason: str, failures: list[str]) -> None:
        super().__init__(reason)
        self.failures = failures


class Unfinished(Exception):
    """A step after the commit failed: nothing is undone, the next run goes on from there."""


def attempt(events: Sequence[Data]) -> list[Data]:
    """The events since the last rollback."""
    begin = max((number + 1 for number, event in enumerate(events) if event["event"] == "rollback"), default=0)
    return list(events[begin:])


def state(events: Sequence[Data]) -> str:
    """Where a journal stands: ``new``, ``interrupted`` or ``committed``."""
    current = attempt(events)
    if any(event["event"] == "commit" for event in current):
        return COMMITTED
    return INTERRUPTED if current else NEW


def has_finished(events: Sequence[Data], step: str) -> bool:
    """True when the step has been done since the last rollback."""
    return any(event["event"] == "done" and event["step"] == step for event in attempt(events))


def explain(error: Exception) -> str:
    """The sentence of an error; those not meant for users get their type before it."""
    foreseen = type(error).__module__.startswith("ansible_collections.")
    return str(error) if foreseen else "{0}: {1}".format(type(error).__name__, error)


class Transaction:
    """The steps of one workload before the commit and after it, and their journal."""

    def __init__(self, journal: Path, plan_hash: str, before: Sequence[Step], after: Sequence[Step] = ()) -> None:
        self._journal = journal
        self._plan_hash = plan_hash
        self._before = before
        self._after = after
        self.ran: list[Ran] = []

    @property
    def state(self) -> str:
        return state(read_journal(self._journal))

    def pending(self) -> list[str]:
        """The steps that ``run`` would do, in order. Reads only."""
        steps = [] if self.state == COMMITTED else list(self._before)
        return [step.name for step in [*steps, *self._after] if not step.done()]

    def run(self, commit: Callable[[], Data]) -> None:
        """Everything that is left to do. ``commit`` returns the data of the commit's record.

        Raises RolledBack when a step before the commit fails, Unfinished when one after it does.
        """
        notes = self._notes()
        if self.state != COMMITTED:
            try:
                for step in self._before:
                    self._do(step, notes)
                self._write("commit", "commit", commit())
            # Whatever happened, an application stands still until it is undone.
            except Exception as error:
                raise RolledBack(explain(error), self._undo_all(explain(error), notes)) from error
        try:
            for step in self._after:
                self._do(step, notes)
        except Exception as error:
            raise Unfinished(explain(error)) from error

    def undo(self, reason: str) -> list[str]:
        """Undo what this attempt has begun, last step first; the sentences of the undos that failed.

        Only when all of them succeeded the journal says so; otherwise the next run tries the others again.
        """
        if self.state == COMMITTED:
            raise ValueError("a committed transaction is not undone")
        return self._undo_all(reason, self._notes())

    def _undo_all(self, reason: str, notes: Notes) -> list[str]:
        events = attempt(read_journal(self._journal))
        begun = {event["step"] for event in events if event["event"] == "do"}
        undone = {event["step"] for event in events if event["event"] == "undone"}
        failures: list[str] = []
        for step in reversed(self._before):
            if step.name in begun - undone:
                self._undo(step, notes, failures)
        if not failures:
            self._try("rollback", failures, lambda: self._write("rollback", "rollback", {"reason": reason}))
        return failures

    def _do(self, step: Step, notes: Notes) -> None:
        if step.done():
            return
        begin = time.monotonic()
        self._write(step.name, "do")
        try:
            notes[step.name] = step.do(notes) or {}
        except Exception as error:
            self._write(step.name, "failed", {"reason": explain(error)})
            raise
        self._write(step.name, "done", notes[step.name])
        self.ran.append(Ran(step.name, round(time.monotonic() - begin, 2)))

    def _undo(self, step: Step, notes: Notes, failures: list[str]) -> None:
        # A full disk refuses the journal, but must not keep an application from coming back.
        self._try(step.name, failures, lambda: self._write(step.name, "undo"))
        if self._try(step.name, failures, lambda: step.undo(notes)):
            self._try(step.name, failures, lambda: self._write(step.name, "undone"))

    def _try(self, name: str, failures: list[str], action: Callable[[], None]) -> bool:
        try:
            action()
        except Exception as error:
            failures.append("{0}: {1}".format(name, explain(error)))
            return False
        return True

    def _notes(self) -> Notes:
        events = attempt(read_journal(self._journal))
        return {event["step"]: event.get("data", {}) for event in events if event["event"] == "done"}

    def _write(self, step: str, event: str, data: Data | None = None) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        record = {"plan": self._plan_hash, "time": now, "step": step, "event": event, "data": data or {}}
        append_journal(self._journal, record)
