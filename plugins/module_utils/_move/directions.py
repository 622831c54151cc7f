# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two directions in which a workload moves, and what a move in each consists of (private to the collection)."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import Callable, Mapping, NamedTuple, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _cutover as cutover
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _look as look
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _outcome as outcome
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _recovery as recovery
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _return as way_back
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _staging as staging
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _transaction as transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _volumes as volumes
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _wait_docker as wait_docker
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import Docker
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import (
    EngineState,
    StateError,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._reach import Outside
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._rounds import Trees
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._transaction import (
    DOCKER,
    PODMAN,
    Data,
    Notes,
    Step,
)


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
    commit: Callable[[Notes], Data]
    require: Callable[[bool], None]
    planned: Data


def cutovers(plan: Data, host: Host, params: Data) -> list[Move]:
    """The moves to Podman of the workloads in ``params``, all by default; those that have moved come first. StateError when
    the plan has a blocker.
    """
    owners = staging.owners(plan, host.engine, params["workloads"])
    outcome.require_movable(plan, owners.docker, host.engine)
    return [cutover_of(plan, host, workload) for workload in owners.podman + owners.docker]


def cutover_of(plan: Data, host: Host, workload: Data) -> Move:
    """The move of a workload of the plan to Podman."""
    found: list[Trees] = []

    def require(check: bool) -> None:
        look.require_as_planned(workload, host.docker)
        if not check:
            look.require_staged(plan, workload)
            # Looked up here, because nothing that can be known before costs time inside the window.
            found.extend(volumes.trees(plan, host.engine, workload))

    def record() -> Data:
        wait_docker.let_start(workload["containers"], host.docker, host.timeout(workload["name"]))
        return look.look(workload, found, host.docker, host.outside, plan["policy"].get("secrets") or [])

    is_settled = transaction.has_finished(host.engine.journal(workload["name"]), cutover.ENABLE)
    return Move(
        workload["name"],
        PODMAN,
        cutover.steps(record, host.docker, host.outside, host.timeout(workload["name"])),
        cutover.steps_after(host.docker, is_settled),
        cutover.commit,
        require,
        look.planned(workload),
    )


def returns(_plan: Data, host: Host, params: Data) -> list[Move]:
    """The moves back to Docker of the workloads in ``params``, by default of all that Podman has. StateError for a name that
    never moved.
    """
    journals = [name for name in host.engine.journals() if transaction.settled(host.engine.journal(name))]
    unknown = sorted(set(params["workloads"]).difference(journals))
    if unknown:
        raise StateError("No workload {0} was ever moved; nothing was changed.".format(" and no ".join(unknown)))
    wanted = params["workloads"] or [
        name for name in journals if transaction.owner(host.engine.journal(name)) == PODMAN
    ]
    return [return_of(host, name, params["data"]) for name in wanted]


def return_of(host: Host, name: str, data: str) -> Move:
    """The move back of a workload, by its journal; ``data`` is CURRENT or ORIGINAL."""
    events = host.engine.journal(name)
    is_back = transaction.owner(events) == DOCKER and recovery.is_finished(events)
    moved = transaction.notes(transaction.settled(events))[cutover.RECORD]
    kept = host.engine.root / "kept" / "{0}-{1}".format(name, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))

    def require(_check: bool) -> None:
        # One that is retired is not awake before it is known that something can go back to it.
        if not host.engine.retired:
            way_back.require_there(moved, host.docker)
            way_back.require_docker_down(moved, host.docker)
        way_back.require_original(events, data)
        way_back.require_room(moved, kept, data)

    def record() -> Data:
        return way_back.look(moved, kept)

    return Move(
        name,
        DOCKER,
        way_back.steps(record, host.docker, host.outside, host.timeout(name), data),
        [] if is_back else way_back.steps_after(host.docker),
        way_back.commit,
        require,
        moved,
    )
