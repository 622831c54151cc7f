# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cutover of one workload: its steps, in the order that loses nothing (private to the collection)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Callable

from .._common.errors import UserError
from .._common.json import Json
from .._common.parallel import each
from .._docker.api import Docker
from .._images import commit as commits
from .._network import addresses, port_gate
from .._network.probe import Outside
from .._state.journal import Notes
from .._volumes import rounds
from .._workload import coexistence, podman_services, wait_podman, warm_up
from .._workload.docker_containers import DockerSide
from .._workload.move_record import RECORD, trees
from .steps import guarded, if_, never, nothing, on, opening
from .transaction import FAILED_UNDO, Step

ENABLE = "enable_units"


def steps(look: Callable[[], Json], docker: Docker, outside: Outside, ready_timeout: float) -> list[Step]:
    """Everything up to the commit. ``look`` returns the record, ``ready_timeout`` is in seconds."""
    side = DockerSide(docker)

    def require_asleep(record: Json) -> None:
        side.require_down(record)
        gone = side.gone(record["containers"])
        if gone:
            raise UserError("Somebody removed {0} from Docker meanwhile.".format(", ".join(gone)))
        others = side.others(record)
        if others:
            raise UserError(
                "Docker runs {0} on a volume of the workload, and what it writes there would be lost; run the role assess "
                "again, which takes it along.".format(", ".join(others))
            )

    def wait(notes: Notes) -> None:
        wait_podman.wait(notes[RECORD], outside, docker, ready_timeout)
        # A unit of the host, or somebody, may have started them again meanwhile.
        require_asleep(notes[RECORD])
        side.require_unstarted(notes[RECORD], notes["sync_volumes"]["starts"])

    def stop(notes: Notes) -> Json:
        port_gate.close_datagrams(notes[RECORD])
        return side.end(notes[RECORD], side.require_unended)

    def sync(notes: Notes) -> Json:
        return {"starts": side.last_starts(notes[RECORD]), "volumes": _sync(notes[RECORD])}

    def start_again(notes: Notes) -> None:
        # Before all that can fail: what failed is tried again, and must not stop what runs by then.
        if "await_docker" not in notes and FAILED_UNDO + "stop_docker" not in notes:
            side.end_stopping(notes[RECORD])
        podman_services.require_down(notes[RECORD])
        port_gate.open_ports(notes[RECORD])
        side.start(notes[RECORD])

    # While Podman still runs it, clients would write into what is about to go, and its units are needed to stop it.
    return [
        Step(RECORD, never, lambda _notes: look(), nothing),
        Step("warm_volumes", never, on(_warm), nothing),
        Step(
            "create_secrets",
            if_(lambda record: not record["secrets"]),
            on(lambda record: podman_services.create_secrets(record, docker)),
            on(podman_services.remove_secrets),
        ),
        Step(
            "install_units",
            if_(podman_services.are_asleep),
            on(podman_services.install),
            guarded(podman_services.require_down, podman_services.forget),
        ),
        Step(
            "create_volumes",
            if_(podman_services.has_volumes),
            on(podman_services.create_volumes),
            on(podman_services.forget_volumes),
        ),
        Step("open_forward", if_(addresses.is_open), on(addresses.open_passage), on(addresses.close_passage)),
        Step("rehearse", if_(warm_up.is_over), on(warm_up.perform), on(warm_up.forget)),
        Step("hold_restarts", never, guarded(side.require_unended, side.hold), on(side.give_back)),
        Step("stop_docker", if_(side.are_stopped), stop, start_again),
        # The processes have ended, and Docker takes down links and mounts of theirs meanwhile.
        Step("close_ports", never, on(port_gate.close), guarded(podman_services.require_down, port_gate.open_ports)),
        Step("sync_volumes", never, sync, nothing),
        Step("await_docker", never, on(side.await_stopped), nothing),
        Step("free_addresses", if_(addresses.are_free), on(addresses.free), on(addresses.put_back)),
        Step("start_podman", never, guarded(require_asleep, podman_services.start), on(podman_services.discard)),
        Step("wait_ready", never, wait, nothing),
    ]


def steps_after(docker: Docker, coexist: Path, settled: bool) -> list[Step]:
    """What follows the commit. ``coexist``: the folder of what holds whenever Docker starts; ``settled``: it was brought to its
    end before, and only units that are missing are written again."""
    enable = Step(
        ENABLE,
        lambda notes: settled and not podman_services.to_enable(notes[RECORD], settled),
        lambda notes: podman_services.enable(notes[RECORD], settled),
        nothing,
    )
    if settled:
        return [enable]
    side = DockerSide(docker)
    return [
        Step("open_ports", never, opening("stop_docker"), nothing),
        # Docker may have been started anew since the addresses were taken off its bridges, and will be.
        Step(
            "coexist",
            if_(partial(coexistence.holds, coexist)),
            on(lambda record: coexistence.install(coexist, [record])),
            nothing,
        ),
        # The host may have started anew since the commit.
        Step(
            "start_services",
            if_(podman_services.are_resumed),
            guarded(side.require_down, podman_services.resume),
            nothing,
        ),
        enable,
    ]


def commit(notes: Notes) -> Json:
    """The data of the commit's record; what Podman has of the workload is on the disk before it."""
    podman_services.make_durable(notes[RECORD])
    return {"containers": [container["id"] for container in notes[RECORD]["containers"]]}


def _warm(record: Json) -> None:
    each(rounds.warm, trees(record))


def _sync(record: Json) -> Json:
    found = trees(record)
    stats = each(rounds.final, found)
    commits.make(record)
    return {item.name: {"files": done.files, "bytes": done.bytes} for item, done in zip(found, stats)}
