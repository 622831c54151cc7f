# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers move together, and whether they become a pod (private to the collection)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Sequence

from .._common.json import Json, dig, is_empty, mapping, strings, text
from ._documents.containers import (
    COMPOSE,
    is_on_default_bridge,
    label,
    links_of,
    name_of,
    network_mode,
    networks_of,
    project_of,
)
from ._tables.options import PODS, START_WITH_POD
from ._topics import ports
from ._topics.mounts import mounts_of
from ._topics.networking import endpoint_aliases, endpoint_of, mac_address, sysctls
from ._topics.restart import runs_from_boot
from .model import Version

_SHM_SIZE = 64 << 20
_ANY_ADDRESS = ("0.0.0.0", "::", "127.0.0.1", "::1")


def volumes_of(container: Json) -> list[str]:
    """The named and anonymous volumes of a container."""
    return [text(mount.get("Name")) for mount in mounts_of(container, "volume") if mount.get("Name")]


def connect(containers: Sequence[Json], by_id: Mapping[str, str]) -> list[list[Json]]:
    """Containers grouped by what connects them (design: "Which containers move together"), in their order."""
    tokens = [set(_tokens(container, by_id)) for container in containers]
    sharing: dict[str, list[int]] = {}
    for number, own in enumerate(tokens):
        for token in own:
            sharing.setdefault(token, []).append(number)
    groups, left = [], set(range(len(containers)))
    for first in range(len(containers)):
        found, ahead = set(), [first] if first in left else []
        while ahead:
            number = ahead.pop()
            if number in left:
                left.discard(number)
                found.add(number)
                ahead += [other for token in tokens[number] for other in sharing.pop(token, ())]
        if found:
            groups.append([containers[number] for number in sorted(found)])
    return groups


def _tokens(container: Json, by_id: Mapping[str, str]) -> Iterator[str]:
    """What a container shares with others, as comparable words."""
    yield "container:" + name_of(container)
    yield from ("network:" + name for name in networks_of(container))
    yield from ("volume:" + name for name in volumes_of(container))
    if project_of(container):
        yield "project:" + project_of(container)
    host_config = mapping(container.get("HostConfig"))
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _colon, other = text(host_config.get(key)).partition(":")
        if kind == "container":
            yield "container:" + by_id.get(other, other)
    for target, _alias in links_of(container):
        yield "container:" + target
    for source in strings(host_config.get("VolumesFrom")):
        yield "container:" + by_id.get(source.split(":")[0], source.split(":")[0])


@dataclass(frozen=True)
class Candidate:
    """A workload that may become a pod. ``listening``: sockets of each container, by its ID."""

    containers: Sequence[Json]
    listening: Mapping[str, list[dict[str, Any]]]
    version: Version
    socket_readers: Sequence[str]


def grouping(candidate: Candidate, wanted: str) -> tuple[str, str]:
    """``pod``, ``network`` or ``single``, and the sentence that says which rule decided."""
    if len(candidate.containers) == 1:
        return "single", "It is one container that shares nothing with others."
    if wanted == "network":
        return "network", "The policy says so."
    for rule in _RULES:
        objection = rule(candidate)
        if objection:
            return "network", objection
    return "pod", "It is a whole Compose project whose containers can share one network namespace."


def _one_project(candidate: Candidate) -> str:
    projects = {project_of(container) for container in candidate.containers}
    return "" if len(projects) == 1 and "" not in projects else "It is not exactly one Compose project."


def _not_scaled(candidate: Candidate) -> str:
    services = [label(container, COMPOSE + "service") for container in candidate.containers]
    scaled = sorted({service for service in services if services.count(service) > 1})
    return f"The service {scaled[0]} is scaled." if scaled else ""


def _has_pods(candidate: Candidate) -> str:
    return "" if candidate.version >= PODS else "This Podman has no units for pods; they begin with 5.0."


def _own_namespaces(candidate: Candidate) -> str:
    for container in candidate.containers:
        kind = network_mode(container)[0]
        if kind in ("host", "none", "container"):
            return f"{name_of(container)} has the network mode {kind}."
        if is_on_default_bridge(container):
            return f"{name_of(container)} is on Docker's default bridge."
    return ""


def _no_own_settings(candidate: Candidate) -> str:
    for container in candidate.containers:
        # Podman 5.4 takes the option of a member and does nothing, even where memory is not shared (tried).
        if dig(container, "HostConfig.ShmSize") not in (None, 0, _SHM_SIZE):
            return (
                f"{name_of(container)} has shared memory of a size of its own, which Podman gives no member of a pod."
            )
        if dig(container, "HostConfig.UsernsMode") == "host":
            return f"{name_of(container)} has a user namespace of its own."
        for key in ("Dns", "DnsOptions", "DnsSearch"):
            if not is_empty(dig(container, "HostConfig." + key)):
                return f"{name_of(container)} has name servers of its own."
        for network in networks_of(container):
            config = mapping(endpoint_of(container, network).get("IPAMConfig"))
            if config.get("IPv4Address") or config.get("IPv6Address"):
                return f"{name_of(container)} has an address of its own."
            if mac_address(container, network):
                return f"{name_of(container)} has a MAC address of its own."
    return ""


def _no_conflict(candidate: Candidate) -> str:
    """Settings that belong to the network namespace can be shared only when they are the same."""
    names = {name_of(item) for item in candidate.containers}
    names |= {
        alias
        for item in candidate.containers
        for network in networks_of(item)
        for alias in endpoint_aliases(item, network)
    }
    seen = {"address for the name " + name: (name, "127.0.0.1") for name in names}
    settings = [dict(value.split("=", 1) for _option, value in sysctls(item, False)) for item in candidate.containers]
    for key in sorted({key for own in settings for key in own if key.startswith("net.")}):
        if len({own.get(key) for own in settings}) > 1:
            return f"Its containers do not have the same kernel setting {key}."
    for container in candidate.containers:
        hosts = [entry.partition(":") for entry in strings(dig(container, "HostConfig.ExtraHosts"))]
        for what, value in (("address for the name " + name, address) for name, _colon, address in hosts):
            owner, known = seen.setdefault(what, (name_of(container), value))
            if known != value:
                return f"{owner} and {name_of(container)} have another {what}."
    return ""


def _same_networks(candidate: Candidate) -> str:
    sets = {tuple(sorted(networks_of(container))) for container in candidate.containers}
    if len(sets) > 1:
        return "Its containers are on different networks, and a pod must not join what was kept apart."
    return "" if sets != {()} else "Its containers are on no network of their own."


def _no_port_twice(candidate: Candidate) -> str:
    owners: dict[tuple[str, int], str] = {}
    for container in candidate.containers:
        for port in sorted(_ports_of(container, candidate.listening)):
            owner = owners.setdefault(port, name_of(container))
            if owner != name_of(container):
                return f"{owner} and {name_of(container)} both listen on {port[1]}/{port[0]}."
    return ""


def _ports_of(container: Json, listening: Mapping[str, list[dict[str, Any]]]) -> set[tuple[str, int]]:
    """Published, exposed, and what the kernel shows listening, as (protocol, port)."""
    used = {(text(port["proto"]), int(port["container_port"])) for port in ports.published(container).ports}
    for spec in mapping(dig(container, "Config.ExposedPorts")):
        number, _slash, proto = spec.partition("/")
        if ports.is_port(number):
            used.add((proto or "tcp", int(number)))
    sockets = listening.get(text(container.get("Id")), [])
    seen = {(text(socket.get("proto")), socket.get("port")) for socket in sockets}
    return used | {(proto, port) for proto, port in seen if isinstance(port, int)}


def _no_own_address(candidate: Candidate) -> str:
    for container in candidate.containers:
        for socket in candidate.listening.get(text(container.get("Id")), []):
            if text(socket.get("address")) not in _ANY_ADDRESS:
                return f"{name_of(container)} listens on its own address only."
    return ""


def _all_start(candidate: Candidate) -> str:
    if candidate.version >= START_WITH_POD:
        return ""
    late = [name_of(container) for container in candidate.containers if not runs_from_boot(container)]
    return f"{late[0]} does not run or does not start at boot, and this Podman cannot leave it out." if late else ""


def _nobody_discovers(candidate: Candidate) -> str:
    if not candidate.socket_readers:
        return ""
    return f"{candidate.socket_readers[0]} reads the Docker socket and could not find members of a pod."


_RULES: tuple[Callable[[Candidate], str], ...] = (
    _has_pods,
    _one_project,
    _not_scaled,
    _own_namespaces,
    _same_networks,
    _no_own_settings,
    _no_conflict,
    _no_port_twice,
    _no_own_address,
    _all_start,
    _nobody_discovers,
)
