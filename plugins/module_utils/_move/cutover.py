# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cutover of one workload: its steps, in the order that loses nothing (private to the collection)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _addresses as addresses
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _commits as commits
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _gate as gate
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman_side as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _rehearsal as rehearsal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _rounds as rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _wait_ready as wait_ready
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import Docker
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker_side import DockerSide, each
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move_error import MoveError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._reach import Outside
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._rounds import Trees
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._transaction import (
    FAILED_UNDO,
    Data,
    Notes,
    Step,
)

RECORD = "record"
ENABLE = "enable_units"


def never(_notes: Notes) -> bool:
    """``done`` of a step that has to be done each time."""
    return False


def nothing(_notes: Notes) -> None:
    """``undo`` of a step that leaves nothing behind."""


def on(function: Callable[[Data], object]) -> Callable[[Notes], None]:
    """A function of the record, as ``undo``."""

    def call(notes: Notes) -> None:
        function(notes[RECORD])

    return call


def guarded(require: Callable[[Data], None], action: Callable[[Data], object]) -> Callable[[Notes], None]:
    """The same of an action to which something may stand against: ``require`` then raises, and nothing is done."""

    def call(record: Data) -> None:
        require(record)
        action(record)

    return on(call)


def if_(function: Callable[[Data], bool]) -> Callable[[Notes], bool]:
    """A question about the record, as ``done``."""
    return lambda notes: function(notes[RECORD])


def trees(record: Data) -> list[Trees]:
    """The volumes of a record."""
    return [
        item._replace(memory=Path(item.memory) if item.memory else None, layers=tuple(item.layers))
        for item in (Trees(**volume) for volume in record["volumes"])
    ]


def steps(look: Callable[[], Data], docker: Docker, outside: Outside, ready_timeout: float) -> list[Step]:
    """Everything up to the commit. ``look`` returns the record, ``ready_timeout`` is in seconds."""
    side = DockerSide(docker)

    def require_asleep(record: Data) -> None:
        side.require_down(record)
        gone = side.gone(record["containers"])
        if gone:
            raise MoveError("Somebody removed {0} from Docker meanwhile.".format(", ".join(gone)))
        others = side.others(record)
        if others:
            raise MoveError(
                "Docker runs {0} on a volume of the workload, and what it writes there would be lost; run the role assess "
                "again, which takes it along.".format(", ".join(others))
            )

    def wait(notes: Notes) -> None:
        wait_ready.wait(notes[RECORD], outside, docker, ready_timeout)
        # A unit of the host, or somebody, may have started them again meanwhile.
        require_asleep(notes[RECORD])
        side.require_unstarted(notes[RECORD], notes["sync_volumes"]["starts"])

    def stop(notes: Notes) -> Data:
        gate.close_datagrams(notes[RECORD])
        return side.end(notes[RECORD], side.require_unended)

    def sync(notes: Notes) -> Data:
        return {"starts": side.last_starts(notes[RECORD]), "volumes": _sync(notes[RECORD])}

    def start_again(notes: Notes) -> None:
        # Before all that can fail: what failed is tried again, and must not stop what runs by then.
        if "await_docker" not in notes and FAILED_UNDO + "stop_docker" not in notes:
            side.end_stopping(notes[RECORD])
        podman.require_down(notes[RECORD])
        gate.open_ports(notes[RECORD])
        side.start(notes[RECORD])

    # While Podman still runs it, clients would write into what is about to go, and its units are needed to stop it.
    return [
        Step(RECORD, never, lambda _notes: look(), nothing),
        Step("warm_volumes", never, on(_warm), nothing),
        Step(
            "create_secrets",
            if_(lambda record: not record["secrets"]),
            on(lambda record: podman.create_secrets(record, docker)),
            on(podman.remove_secrets),
        ),
        Step(
            "install_units",
            if_(podman.are_asleep),
            on(podman.install),
            guarded(podman.require_down, podman.remove),
        ),
        Step("create_volumes", if_(podman.has_volumes), on(podman.create_volumes), on(podman.forget_volumes)),
        Step("open_forward", if_(addresses.is_open), on(addresses.open_passage), on(addresses.close_passage)),
        Step("rehearse", if_(rehearsal.is_over), on(rehearsal.perform), on(rehearsal.forget)),
        Step("hold_restarts", never, guarded(side.require_unended, side.hold), on(side.give_back)),
        Step("stop_docker", if_(side.are_stopped), stop, start_again),
        # The processes have ended, and Docker takes down links and mounts of theirs meanwhile.
        Step("close_ports", never, on(gate.close), guarded(podman.require_down, gate.open_ports)),
        Step("sync_volumes", never, sync, nothing),
        Step("await_docker", never, on(side.await_stopped), nothing),
        Step("free_addresses", if_(addresses.are_free), on(addresses.free), on(addresses.put_back)),
        Step("start_podman", never, guarded(require_asleep, podman.start), on(podman.stop)),
        Step("wait_ready", never, wait, nothing),
    ]


def steps_after(docker: Docker, settled: bool) -> list[Step]:
    """What follows the commit. ``settled``: it was brought to its end before, and only units that are missing are written
    again."""
    enable = Step(
        ENABLE,
        lambda notes: settled and not podman.to_enable(notes[RECORD], settled),
        lambda notes: podman.enable(notes[RECORD], settled),
        nothing,
    )
    if settled:
        return [enable]
    side = DockerSide(docker)
    return [
        Step("open_ports", never, opening("stop_docker"), nothing),
        # Docker may have been started anew since the addresses were taken off its bridges.
        Step("coexist", if_(addresses.coexists), on(addresses.coexist), nothing),
        # The host may have started anew since the commit.
        Step("start_services", if_(podman.are_resumed), guarded(side.require_down, podman.resume), nothing),
        enable,
    ]


def commit(notes: Notes) -> Data:
    """The data of the commit's record; what Podman has of the workload is on the disk before it."""
    podman.make_durable(notes[RECORD])
    return {"containers": [container["id"] for container in notes[RECORD]["containers"]]}


def opening(stop: str) -> Callable[[Notes], Data]:
    """The step that opens the published ports. It returns the downtime: seconds since the step ``stop`` asked the first
    container to stop; until then all answered."""

    def open_ports(notes: Notes) -> Data:
        gate.open_ports(notes[RECORD])
        return {"downtime": round(max(0.0, time.time() - notes[stop]["at"]), 2) if stop in notes else 0.0}

    return open_ports


def _warm(record: Data) -> None:
    each(rounds.warm, trees(record))


def _sync(record: Data) -> Data:
    found = trees(record)
    stats = each(rounds.final, found)
    commits.make(record)
    return {item.name: {"files": done.files, "bytes": done.bytes} for item, done in zip(found, stats)}
