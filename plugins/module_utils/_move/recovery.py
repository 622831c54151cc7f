# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions that were interrupted: undone before their commit, finished after it (private to the collection).

The journal says all that is needed: no plan, no inventory, no controller.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Sequence

from .._common.errors import UserError
from .._common.json import Json
from .._docker.api import Docker
from .._network.probe import Outside
from .._podman import objects
from .._state import journal
from .._state.engine_state import EngineState
from .._state.journal import PODMAN
from .._workload.move_record import RECORD
from . import cutover, result, rollback, transaction
from .transaction import Step, Transaction


def recover(
    engine: EngineState, docker: Docker, check: bool = False, leave: Sequence[str] = ()
) -> tuple[list[str], dict[str, Json]]:
    """Bring every workload of an engine, but those to ``leave``, to one side.

    Returns the names of those that were not there, and the result (of the module ``workload``) for each that could not
    be brought there.
    """
    found: list[str] = []
    broken: dict[str, Json] = {}
    for name in (name for name in engine.journals() if name not in leave):
        events = engine.journal(name)
        if not is_under_way(events):
            continue
        found.append(name)
        failure = "" if check else _settle(engine, docker, name, events)
        if failure:
            broken[name] = result.not_moved(name, "stuck", failure)
    return found, broken


def under_way(engine: EngineState) -> list[Json]:
    """The records of workloads that are on their way between the engines: what Docker says of them now is not how they
    ran."""
    journals = [engine.journal(name) for name in engine.journals()]
    return [record for record in map(_record, filter(is_under_way, journals)) if record]


def moved(engine: EngineState) -> list[Json]:
    """The records of workloads that belong to Podman."""
    journals = [engine.journal(name) for name in engine.journals()]
    theirs = [journal.settled(events) for events in journals if journal.owner(events) == PODMAN]
    return [record for record in (journal.notes(events).get(RECORD) for events in theirs) if record]


def is_under_way(events: list[Json]) -> bool:
    """Whether a workload is on its way between the engines: neither undone nor brought to its end."""
    return bool(journal.interrupted(events)) or not is_finished(events)


def state(events: list[Json]) -> str:
    """Where a workload is: ``docker``, ``podman``, ``interrupted`` on its way, or ``unfinished`` behind its commit."""
    if journal.interrupted(events):
        return "interrupted"
    return journal.owner(events) if is_finished(events) else "unfinished"


def is_finished(events: list[Json]) -> bool:
    """Whether the last transaction that was committed was also brought to its end."""
    settled = journal.settled(events)
    if not settled:
        return True
    last = cutover.ENABLE if journal.goal(settled) == PODMAN else rollback.LAST
    return journal.has_finished(events, last)


def _settle(engine: EngineState, docker: Docker, name: str, events: list[Json]) -> str:
    """Undo what has not reached its commit, or finish what has; a sentence when that fails."""
    path = engine.journal_path(name)
    goal, record = journal.interrupted(events), _record(events)
    if record:
        # It stands in the way of what needs secrets only.
        with suppress(OSError):
            objects.mend_secrets(record["graph_root"])
    if goal:
        failures = Transaction(path, "", goal, _before(goal, docker, engine.coexist_path)).undo(
            "the run before was interrupted"
        )
        if failures:
            return "{0} was interrupted on its way to {1}, and could not be brought back: {2}. Repair that and run this again.".format(
                name, goal.capitalize(), "; ".join(failures)
            )
        return ""
    goal = journal.owner(events)
    coexist = engine.coexist_path
    after = (
        cutover.steps_after(docker, coexist, settled=False) if goal == PODMAN else rollback.steps_after(docker, coexist)
    )
    try:
        Transaction(path, "", goal, (), after).run(lambda _notes: {})
    except (transaction.Unfinished, UserError) as error:
        return "{0} moved to {1}, but was not completed: {2}".format(name, goal.capitalize(), error)
    return ""


def _record(events: list[Json]) -> Json:
    """What the last attempt began with; nothing when it did not come that far."""
    return journal.notes(journal.attempts(events)[-1]).get(RECORD, {})


def _before(goal: str, docker: Docker, coexist: Path) -> list[Step]:
    # An undo looks at nothing and waits for nothing.
    if goal == PODMAN:
        return cutover.steps(dict, docker, Outside(), 0)
    return rollback.steps(dict, docker, Outside(), coexist, 0)
