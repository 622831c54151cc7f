# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a workload on Podman no worse than it was on Docker? (private to the collection)"""

from __future__ import annotations

import ipaddress
import json
import time
from contextlib import suppress
from typing import Any, Dict, List, NamedTuple, Sequence

from .._common.command import CommandError, run
from .._common.parallel import each
from .._docker.api import health_of, process_of
from .._host.processes import ProcessError, container_view, read_processes
from .._network import name_server, port_check
from .._network.probe import Outside, Port
from .._podman.units import Service, services

# A check that hangs keeps nobody from the deadline (Podman before 5.5 waits for it to end); as long as Docker lets one run.
_CHECK_SECONDS = 30

# Seconds: what ends for want of a file or a right has ended by then.
_LEAST_LIFE = 1.5

# Documentation/networking/ip-sysctl.rst, ip_local_port_range: where programs get a port that they did not ask for.
_EPHEMERAL = range(32768, 61000)

Listening = List[Dict[str, Any]]
"""Sockets as the plan has them: proto, address, port."""


class Expected(NamedTuple):
    """What must be so: services that run, health and sockets by container name, ports that answer from outside, networks
    whose names are served.

    ``owners``: the service of each container. ``services``: all of the workload, to notice the one that failed.
    """

    owners: dict[str, str]
    services: Sequence[str]
    healthy: Sequence[str]
    listening: dict[str, Listening]
    ports: Sequence[Port]
    networks: Sequence[str]


class Lack(NamedTuple):
    """What is missing, in a sentence; the service whose log may say why; and whether waiting can help."""

    sentence: str
    service: str
    hopeless: bool = False


class Container(NamedTuple):
    """What Podman says of a container: its first process, its health ("" without a check), and its networks."""

    pid: int
    health: str
    networks: Sequence[str]


def lacks(expected: Expected, outside: Outside) -> list[Lack]:
    """What is missing at this moment; a moment in which the host does not answer is no verdict."""
    try:
        return _lacks(expected, outside)
    except (CommandError, ProcessError) as error:
        return [Lack(str(error), "")]


def _lacks(expected: Expected, outside: Outside) -> list[Lack]:
    # What costs more is looked at when all that is cheaper is there.
    states = services(list(expected.services))
    missing = service_lacks(expected, states)
    late = {lack.service for lack in missing}
    # Where a service starts with a health check, others wait for it.
    found = inspect(
        [name for name in expected.healthy if expected.owners.get(name) in late] if late else list(expected.owners)
    )
    nudge_health_checks(
        [name for name in expected.healthy if name in found and found[name].health not in ("", "healthy")]
    )
    missing = missing or health_lacks(expected, found) or process_lacks(expected, states, found, time.monotonic())
    if missing:
        return missing
    processes = read_processes()
    views = {name: container_view(processes, container.pid) or {} for name, container in found.items()}
    missing = socket_lacks(expected, {name: view.get("listening", []) for name, view in views.items()})
    pids = {name: container.pid for name, container in found.items()}
    missing = missing or name_lacks(expected, found)
    return missing or port_lacks(expected, port_check.answering(expected.ports, pids, outside))


def service_lacks(expected: Expected, states: dict[str, Service]) -> list[Lack]:
    """Services that failed, first; then those that do not run yet."""
    wanted = set(expected.owners.values())
    failed = [
        Lack(str(state), name, True)
        for name, state in states.items()
        # A pod or network, unlike a container, has nobody to wait for: what fails twice will fail again.
        if state.active == "failed" or (state.is_hopeless if name in wanted else state.restarts > 1)
    ]
    waiting = [Lack(str(state), name) for name, state in states.items() if name in wanted and not state.is_active]
    return failed or waiting


def health_lacks(expected: Expected, found: dict[str, Container]) -> list[Lack]:
    """Containers that were healthy under Docker and are not now."""
    none = Container(0, "not there", [])
    return [
        Lack("{0} is {1}, and was healthy under Docker".format(name, health or "without a health check"), owner)
        for name, owner in expected.owners.items()
        for health in [found.get(name, none).health]
        if name in expected.healthy and health != "healthy"
    ]


def process_lacks(
    expected: Expected, states: dict[str, Service], found: dict[str, Container], now: float
) -> list[Lack]:
    """Containers that do not run, although their services do: one has just ended, and systemd will see it. So may one soon that
    has been started again already, or of which nothing else would tell that it has come up; ``now`` is of the monotonic clock."""
    lacks = []
    for name, owner in expected.owners.items():
        service = states.get(owner, Service(owner))
        shows_nothing = name not in expected.healthy and not expected.listening.get(name)
        if name not in found or not found[name].pid:
            lacks.append(Lack("{0} does not run".format(name), owner))
        elif (service.restarts or shows_nothing) and now - service.active_since < _LEAST_LIFE:
            times = "was started {0} times, and ".format(service.restarts + 1) if service.restarts else ""
            lacks.append(Lack("{0} {1}does not run for {2:g} s yet".format(name, times, _LEAST_LIFE), owner))
    return lacks


def socket_lacks(expected: Expected, listening: dict[str, Listening]) -> list[Lack]:
    """Sockets that listened under Docker and do not now."""
    return [
        Lack("{0} does not listen on {1} {2} port {3} as it did under Docker".format(name, *_words(socket)), owner)
        for name, owner in expected.owners.items()
        for socket in expected.listening.get(name, [])
        if not any(_stands_for(other, socket) for other in listening.get(name, []))
    ]


def name_lacks(expected: Expected, found: dict[str, Container]) -> list[Lack]:
    """Containers that cannot ask for names, as each could under Docker on a network of its own."""
    lacks = []
    for name, container in found.items():
        own = [network for network in container.networks if network in expected.networks]
        servers = [server for server in map(name_server.server, own) if server]
        owner = expected.owners.get(name, "")
        if own and not servers:
            lacks.append(Lack("{0} has no name server on {1}".format(name, " and ".join(own)), owner))
        elif own and not name_server.is_served(container.pid, servers):
            addresses = [address for server in servers for address in server.addresses]
            sentence = (
                "Podman's name server does not answer {0} at {1}, UDP port 53; if a firewall of this host closes INPUT, let "
                "port 53 in from Podman's bridges".format(name, " and ".join(addresses))
            )
            # That took its time, and what is closed stays closed.
            return [Lack(sentence, owner, True)]
    return lacks


def port_lacks(expected: Expected, answering: Sequence[Port]) -> list[Lack]:
    """Published ports that answered from outside under Docker and do not now."""
    return [
        Lack(
            "published port {0} of {1} does not answer from outside, as it did under Docker".format(
                port["host_port"], port["container"]
            ),
            expected.owners.get(port["container"], ""),
        )
        for port in expected.ports
        if port not in answering
    ]


def is_lasting(socket: dict[str, Any], published: Sequence[int]) -> bool:
    """False for a port that the kernel chose: after a restart it is another one."""
    return socket["port"] not in _EPHEMERAL or socket["port"] in published


def _words(socket: dict[str, Any]) -> tuple[str, str, int]:
    return socket["proto"], socket["address"], socket["port"]


def _stands_for(now: dict[str, Any], before: dict[str, Any]) -> bool:
    """True when ``now`` can be reached wherever ``before`` could: a container's own address may be another one."""
    if (now["proto"], now["port"]) != (before["proto"], before["port"]):
        return False
    address, wanted = ipaddress.ip_address(now["address"]), ipaddress.ip_address(before["address"])
    if address.is_unspecified or address == wanted:
        return True
    return not (wanted.is_unspecified or wanted.is_loopback or address.is_loopback)


def inspect(names: Sequence[str]) -> dict[str, Container]:
    """Those of the containers that Podman has."""
    if not names:
        return {}
    # It fails when one of them is missing, and still prints the others.
    shown = run(["podman", "container", "inspect", *names], check=False).stdout
    try:
        documents = json.loads(shown or "[]")
    except ValueError:
        return {}
    return {
        str(document["Name"]): Container(
            process_of(document),
            health_of(document),
            sorted((document.get("NetworkSettings") or {}).get("Networks") or {}),
        )
        for document in documents
    }


def nudge_health_checks(names: Sequence[str]) -> None:
    """Run the health checks now: Podman, unlike Docker, has no shorter interval while a container starts. Also of what is
    unhealthy: with nobody to wait for its interval, a check may have used up its retries, and one success is enough."""
    each(_nudge, names)


def _nudge(name: str) -> None:
    # What comes of it is asked of the container.
    with suppress(CommandError):
        run(["podman", "healthcheck", "run", name], check=False, timeout=_CHECK_SECONDS)
