# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two directions in which a workload moves, and what a move in each consists of (private to the collection)."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import Callable, Mapping, NamedTuple, Sequence

from .._common.json import Json
from .._docker.api import Docker
from .._network.probe import Outside
from .._state import journal, ownership
from .._state.engine_state import EngineState
from .._state.journal import DOCKER, PODMAN, Notes
from .._state.records import StateError
from .._volumes import locate
from .._volumes.rounds import Trees
from .._workload import precheck, wait_docker
from .._workload.move_record import RECORD
from . import cutover, recovery, result, rollback
from .transaction import Step


class Host(NamedTuple):
    """What moves work with. ``ready_timeout`` is in seconds, and so are those of ``ready_timeouts``, by workload."""

    engine: EngineState
    docker: Docker
    outside: Outside
    ready_timeout: float
    plan_hash: str
    ready_timeouts: Mapping[str, float] = MappingProxyType({})

    def timeout(self, name: str) -> float:
        """How many seconds a workload may take until it is ready."""
        return self.ready_timeouts.get(name, self.ready_timeout)


class Move(NamedTuple):
    """A workload on its way: ``goal`` is an engine, ``require`` looks before anything is touched (whether only in check
    mode), ``planned`` is the record without its live part."""

    name: str
    goal: str
    before: Sequence[Step]
    after: Sequence[Step]
    commit: Callable[[Notes], Json]
    require: Callable[[bool], None]
    planned: Json


def cutovers(plan: Json, host: Host, params: Json) -> list[Move]:
    """The moves to Podman of the workloads in ``params``, all by default; those that have moved come first. StateError when
    the plan has a blocker.
    """
    owners = ownership.owners(plan, host.engine, params["workloads"])
    result.require_movable(plan, owners.docker, host.engine)
    return [cutover_of(plan, host, workload) for workload in owners.podman + owners.docker]


def cutover_of(plan: Json, host: Host, workload: Json) -> Move:
    """The move of a workload of the plan to Podman."""
    found: list[Trees] = []

    def require(check: bool) -> None:
        precheck.require_as_planned(workload, host.docker)
        if not check:
            precheck.require_staged(plan, workload)
            # Looked up here, because nothing that can be known before costs time inside the window.
            found.extend(locate.trees(plan, host.engine, workload))

    def record() -> Json:
        wait_docker.let_start(workload["containers"], host.docker, host.timeout(workload["name"]))
        return precheck.look(workload, found, host.docker, host.outside, plan["policy"].get("secrets") or [])

    is_settled = journal.has_finished(host.engine.journal(workload["name"]), cutover.ENABLE)
    return Move(
        workload["name"],
        PODMAN,
        cutover.steps(record, host.docker, host.outside, host.timeout(workload["name"])),
        cutover.steps_after(host.docker, host.engine.coexist_path, is_settled),
        cutover.commit,
        require,
        precheck.planned(workload),
    )


def returns(_plan: Json, host: Host, params: Json) -> list[Move]:
    """The moves back to Docker of the workloads in ``params``, by default of all that Podman has. StateError for a name that
    never moved.
    """
    journals = [name for name in host.engine.journals() if journal.settled(host.engine.journal(name))]
    unknown = sorted(set(params["workloads"]).difference(journals))
    if unknown:
        raise StateError("No workload {0} was ever moved; nothing was changed.".format(" and no ".join(unknown)))
    wanted = params["workloads"] or [name for name in journals if journal.owner(host.engine.journal(name)) == PODMAN]
    return [return_of(host, name, params["data"]) for name in wanted]


def return_of(host: Host, name: str, data: str) -> Move:
    """The move back of a workload, by its journal; ``data`` is CURRENT or ORIGINAL."""
    events = host.engine.journal(name)
    is_back = journal.owner(events) == DOCKER and recovery.is_finished(events)
    moved = journal.notes(journal.settled(events))[RECORD]
    kept = host.engine.root / "kept" / "{0}-{1}".format(name, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))

    def require(_check: bool) -> None:
        # One that is retired is not awake before it is known that something can go back to it.
        if not host.engine.retired:
            rollback.require_there(moved, host.docker)
            rollback.require_docker_down(moved, host.docker)
        rollback.require_original(events, data)
        rollback.require_room(moved, kept, data)

    def record() -> Json:
        return rollback.look(moved, kept)

    return Move(
        name,
        DOCKER,
        rollback.steps(record, host.docker, host.outside, host.engine.coexist_path, host.timeout(name), data),
        [] if is_back else rollback.steps_after(host.docker, host.engine.coexist_path),
        rollback.commit,
        require,
        moved,
    )
