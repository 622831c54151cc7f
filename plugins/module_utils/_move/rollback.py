# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back of a workload that Podman owns: its steps (private to the collection).

The record is that of the cutover, so that the plan is not needed. Podman's volumes are only read, and Docker's own are
kept aside first: whatever fails, both are there.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Callable, Sequence

from .._common import disk_space
from .._common.errors import UserError
from .._common.files import make_folder
from .._common.json import Json
from .._common.parallel import each
from .._docker.api import Docker
from .._network import addresses, port_gate
from .._network.probe import Outside
from .._plan._topics import restart
from .._podman import units
from .._podman.units import Service
from .._state import journal
from .._state.journal import Notes
from .._trees.mount_namespace import Source
from .._volumes import rounds
from .._volumes.rounds import Trees
from .._volumes.space import Extent, measure
from .._workload import coexistence, podman_services, wait_docker
from .._workload.docker_containers import DockerSide
from .._workload.move_record import RECORD, running, trees
from .steps import guarded, if_, never, nothing, on, opening
from .transaction import Step

# What becomes of the data: what Podman wrote is carried back, or Docker's own is taken again.
CURRENT, ORIGINAL = "current", "original"
LAST = "remove_secrets"


def steps(
    record: Callable[[], Json],
    docker: Docker,
    outside: Outside,
    coexist: Path,
    ready_timeout: float,
    data: str = CURRENT,
) -> list[Step]:
    """Everything up to the commit. ``record`` returns what ``look`` does; ``coexist``: the folder of what holds whenever Docker
    starts."""
    side = DockerSide(docker)
    is_current = data == CURRENT

    def start_again(record: Json) -> None:
        side.require_down(record)
        # A Docker that came while this was undone, perhaps in several tries, has taken the addresses of its bridges again.
        addresses.free(record)
        units.install(record["installed"])
        podman_services.start_again(record, record["running"])

    def wait(notes: Notes) -> None:
        # Restart policies are held: who ends because the database is not ready yet has nobody else.
        wait_docker.wait(notes[RECORD], outside, docker, ready_timeout, side.keep_up)
        podman_services.require_down(notes[RECORD])

    # Whoever starts a container in Docker meanwhile would have its volume replaced under it.
    docker_is_down = partial(require_docker_down, docker=docker)
    return [
        Step(RECORD, never, lambda _notes: record(), nothing),
        Step("keep_data", never, on(_keep_dockers if is_current else _warm_keep_podmans), nothing),
        Step("warm_volumes", lambda _notes: not is_current, guarded(docker_is_down, _warm_back), nothing),
        Step("look_again", never, on(podman_services.require_unended), nothing),
        # What a timer starts in Podman once the data was carried back would write into what nobody carries.
        Step("bar_units", never, on(lambda record: podman_services.bar_starts(record["installed"])), on(start_again)),
        # Undone with the step before it: what is barred cannot start.
        Step("stop_podman", never, lambda notes: podman_services.stop(notes[RECORD]), nothing),
        Step("carry_back", never, guarded(docker_is_down, _carry_back if is_current else _keep_podmans), nothing),
        Step(
            "end_coexistence",
            never,
            on(partial(coexistence.end, coexist)),
            on(lambda record: coexistence.install(coexist, [record])),
        ),
        Step("close_forward", never, on(addresses.close_passage), on(addresses.open_passage)),
        Step("put_addresses_back", never, on(addresses.put_back), on(addresses.free)),
        Step(
            "close_ports",
            never,
            on(lambda record: port_gate.close(_among_dockers(record))),
            guarded(side.require_down, port_gate.open_ports),
        ),
        Step("start_docker", if_(side.are_up), on(side.start), on(side.stop)),
        Step("wait_ready", never, wait, nothing),
    ]


def steps_after(docker: Docker, coexist: Path) -> list[Step]:
    """What follows the commit."""
    side = DockerSide(docker)
    return [
        Step("open_ports", never, opening("stop_podman"), nothing),
        Step("restore_restarts", if_(side.are_restored), on(side.restore), nothing),
        # The host may have started anew since the commit, or something ended while nobody would have started it again.
        Step("start_services", if_(side.are_resumed), on(side.resume), nothing),
        Step("remove_units", if_(podman_services.are_removed), on(podman_services.remove), nothing),
        Step(
            "remove_coexistence", never, on(lambda record: coexistence.remove(coexist, [record["workload"]])), nothing
        ),
        Step(LAST, never, on(podman_services.remove_secrets), nothing),
    ]


def commit(_notes: Notes) -> Json:
    """The data of the commit's record: no container is Podman's any more."""
    return {"containers": []}


def look(record: Json, kept: Path) -> Json:
    """The record of the way back: that of the cutover, units and services as the administrator left them, and a folder for
    what is kept aside."""
    states = units.services(units.services_of(record["units"]))
    # What an undo has just started is still on its way, and what is started again and again shall be so afterwards.
    up = [name for name, service in states.items() if service.job or not service.is_down]
    containers = [
        {
            **item,
            "running": item["service"] in up or _goes_on(item, states[item["service"]]),
            # What is down on Podman may have failed in Docker, too, and is started there all the same.
            "may_fail": item["service"] not in up,
        }
        for item in record["containers"]
    ]
    names = {item["name"] for item in running(containers) if not item["may_fail"]}
    return {
        **record,
        "installed": units.read(record["units"]),
        "running": up,
        "kept": str(kept),
        "containers": containers,
        "answered": [port for port in record["answered"] if port["container"] in names],
    }


def _goes_on(container: Json, service: Service) -> bool:
    """Whether Docker shall run what is down: it ran when it left, and has not ended for good since."""
    return bool(container["running"]) and not (service.result == "success" and restart.is_for_once(container["policy"]))


def require_there(record: Json, docker: Docker) -> None:
    """UserError unless Docker still has every container. Reads only."""
    gone = DockerSide(docker).gone(record["containers"])
    if gone:
        raise UserError(
            "Docker has the container {0} no more, so it cannot go back, and stays on Podman.".format(", ".join(gone))
        )


def require_docker_down(record: Json, docker: Docker) -> None:
    """UserError while Docker runs any of the containers, or another on their volumes, which somebody has started there.
    Reads only."""
    side = DockerSide(docker)
    up = side.up(record["containers"]) + side.others(record)
    if up:
        raise UserError(
            "Docker runs {0}, although Podman has the data of the workload: what it writes would be lost. Stop it with docker stop, "
            "and run this again.".format(", ".join(up))
        )


def require_original(events: Sequence[Json], data: str) -> None:
    """UserError when Docker's own data is wanted, and an earlier way back, undone since, has written into it."""
    for attempt in reversed(journal.attempts(events)):
        if data == CURRENT or any(event["event"] == "commit" for event in attempt):
            return
        if "warm_volumes" in journal.begun(attempt):
            raise UserError(
                "An earlier way back has written into Docker's volumes. What they held before is in {0}; put it back by "
                "hand, or take the data that Podman has. Nothing was changed.".format(
                    journal.notes(attempt)[RECORD]["kept"]
                )
            )


def require_room(record: Json, kept: Path, data: str) -> None:
    """UserError unless there is room for what is kept aside and for what has grown under Podman. Reads only."""
    places = []
    for item in trees(record):
        ours = measure(Source(item.destination))
        theirs = Extent() if item.layers else measure(item.read)
        is_carried = data == CURRENT and not item.layers
        places.append(disk_space.place(str(kept), theirs.taken if is_carried else ours.taken))
        if is_carried:
            places.append(disk_space.place(item.source, max(0, ours.taken - theirs.taken) + ours.largest))
    complaint = disk_space.short("The way back", places, "make room, or take the data kept there away")
    if complaint:
        raise UserError(complaint + " Nothing was changed.")


def _among_dockers(record: Json) -> Json:
    bridges = [network["bridge"] for network in record["networks"] if network["bridge"]]
    # Docker's own proxy reaches its containers by their addresses.
    return {**record, "bridges": [*bridges, "docker0"], "networks": []}


def _carried(record: Json) -> list[Trees]:
    """The volumes that Docker has too."""
    return [item for item in trees(record) if not item.layers]


def _persisted(record: Json) -> list[Trees]:
    """Those that were made of a container's own file system: they go nowhere in Docker."""
    return [item for item in trees(record) if item.layers]


def _kept(record: Json, kind: str, volumes: Sequence[Trees], folder: Callable[[Trees], str]) -> list[Trees]:
    found = []
    for item in volumes:
        kept = Path(record["kept"], kind, item.name)
        make_folder(kept)
        found.append(Trees(item.name, folder(item), str(kept), None))
    return found


def _podmans(record: Json, volumes: Sequence[Trees]) -> list[Trees]:
    return _kept(record, "podman", volumes, lambda item: item.destination)


def _keep_dockers(record: Json) -> None:
    each(rounds.final, _kept(record, "docker", _carried(record), lambda item: item.source))
    each(rounds.warm, _podmans(record, _persisted(record)))


def _carry_back(record: Json) -> None:
    each(rounds.final, _back(record))
    each(rounds.final, _podmans(record, _persisted(record)))


def _warm_keep_podmans(record: Json) -> None:
    each(rounds.warm, _podmans(record, trees(record)))


def _keep_podmans(record: Json) -> None:
    each(rounds.final, _podmans(record, trees(record)))


def _warm_back(record: Json) -> None:
    each(rounds.warm, _back(record))


def _back(record: Json) -> list[Trees]:
    """The same volumes in the other direction, with a memory of their own."""
    return [
        Trees(item.name, item.destination, item.source, item.memory and item.memory.with_suffix(".back"))
        for item in _carried(record)
    ]
