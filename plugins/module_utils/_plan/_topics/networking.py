# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a container is on the network, and under which names and addresses (private to the collection)."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Iterator, Mapping, Sequence

from ..._common.json import Json, dig, items, mapping, strings, text
from .._documents.containers import (
    BUILT_IN_NETWORKS,
    full_hostname,
    hostname,
    is_on_default_bridge,
    links_of,
    name_of,
    network_mode,
    networks_of,
)
from .._documents.context import Context
from .._tables import options
from .._tables.options import Setting
from ..model import BLOCKER, INFO, WARNING, Finding, is_safe_name

PARITY_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
"""Docker sets these in every network namespace of its own; Podman narrows the second and not the first."""

_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}\Z")

PODMAN_DEFAULT = "podman"
"""The name of Podman's own network, which stands for Docker's default bridge."""

OF_THE_OTHER = ("dns", "dns_option", "dns_search", "add_host", "hostname")
"""Options that have no meaning in the network namespace of another container."""


def settings(
    container: Json,
    network_files: Mapping[str, str],
    aliases: Mapping[str, list[str]],
    services: Mapping[str, str],
    known: Context,
) -> list[Setting]:
    """The networks of a container.

    ``network_files``: the .network unit of each user-defined network; under ``bridge`` of one that stands for the
    default bridge. ``aliases``: names that links give to containers. ``services``: the service of each container.
    """
    kind, other = network_mode(container)
    if kind in ("host", "none"):
        return [("network", kind)]
    if kind == "container":
        name = known.names.get(other, other)
        unit = services[name][: -len(".service")] + ".container"
        return [("network", unit if known.version >= options.CONTAINER_NETWORK else f"container:{name}")]
    targets = [(name, network_files[name]) for name in networks_of(container)]
    if is_on_default_bridge(container):
        targets.append(("bridge", network_files.get("bridge", PODMAN_DEFAULT)))
    linked = aliases.get(name_of(container), [])
    return [("network", _network(container, name, target, linked)) for name, target in targets]


def _network(container: Json, name: str, target: str, linked: Sequence[str]) -> str:
    endpoint = endpoint_of(container, name)
    # Neither engine has names on its default network.
    names = [] if target == PODMAN_DEFAULT else sorted({*endpoint_aliases(container, name), *linked})
    words = ["alias=" + alias for alias in names]
    for key, option in (("IPv4Address", "ip"), ("IPv6Address", "ip6")):
        address = text(dig(endpoint, "IPAMConfig." + key))
        words += [f"{option}={address}"] if address else []
    chosen = mac_address(container, name)
    words += [f"mac={chosen}"] if chosen else []
    return ":".join([target, ",".join(words)]) if words else target


def endpoint_of(container: Json, network: str) -> Json:
    """What Docker says of a container on one of its networks."""
    return mapping(mapping(dig(container, "NetworkSettings.Networks")).get(network))


def endpoint_aliases(container: Json, network: str) -> list[str]:
    """The names a container has on a network beside its own; its host name is one of them, alone and with its domain. Docker's
    name server knows each also with the name of the network behind it (moby, libnetwork/sandbox.go, ResolveName)."""
    names = {*strings(endpoint_of(container, network).get("Aliases")), hostname(container), full_hostname(container)}
    names = names - {""} | {name_of(container)}
    full = set() if network in BUILT_IN_NETWORKS else {f"{name}.{network}" for name in names}
    return sorted((names | full) - {name_of(container)})


def all_links(container: Json, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """(container, alias) of every link, on the default bridge and on networks; ``names``: of containers by ID."""
    pairs = links_of(container)
    for network in networks_of(container):
        links = strings(endpoint_of(container, network).get("Links"))
        pairs += [(target, alias) for target, _colon, alias in (link.partition(":") for link in links)]
    return [(names.get(target, target), alias or target) for target, alias in pairs]


def link_aliases(containers: Sequence[Json], names: Mapping[str, str]) -> dict[str, list[str]]:
    """The names that links give to their targets: container -> aliases. They hold for all on the network."""
    found: dict[str, set[str]] = {}
    for container in containers:
        for target, alias in all_links(container, names):
            if alias != target:
                found.setdefault(target, set()).add(alias)
    return {target: sorted(aliases) for target, aliases in found.items()}


def _link_conflicts(container: Json, known: Context) -> Iterator[Finding]:
    """In Docker a link is a name for one container alone; Podman's names are for all."""
    near = {*networks_of(container), *(["bridge"] if is_on_default_bridge(container) else [])}
    for target, alias in all_links(container, known.names):
        for other in known.containers if alias != target else ():
            shared = near & {*networks_of(other), *(["bridge"] if is_on_default_bridge(other) else [])}
            own = {name_of(other), *(name for network in shared for name in endpoint_aliases(other, network))}
            linked = {place for place, name in all_links(other, known.names) if name == alias}
            if shared and ((name_of(other) != target and alias in own) or linked - {target}):
                message = f"Its link {alias} means {target}, and to {name_of(other)} or others something else."
                remedy = "Give one of them another name."
                yield Finding(BLOCKER, "link-conflict", name_of(container), "HostConfig.Links", message, remedy)
                return


def mac_address(container: Json, network: str) -> str:
    """The MAC address that somebody chose; empty for one that Docker made."""
    asked = _mac(dig(container, "Config.MacAddress"))
    shown = _mac(endpoint_of(container, network).get("MacAddress"))
    if asked and (not shown or shown == asked):
        return asked
    is_created = not text(endpoint_of(container, network).get("EndpointID"))
    return shown if shown and is_created else ""


def _mac(value: Any) -> str:
    return value if _MAC.match(text(value)) else ""


def is_generated(container: Json, network: str) -> bool:
    """True for the address that Docker before 28 makes of the container's IPv4 address."""
    endpoint = endpoint_of(container, network)
    try:
        packed = ipaddress.IPv4Address(text(endpoint.get("IPAddress"))).packed
    except ValueError:
        return False
    return text(endpoint.get("MacAddress")) == "02:42:" + ":".join(f"{byte:02x}" for byte in packed)


def sysctls(container: Json, hardened: bool) -> list[Setting]:
    """Kernel settings of its namespaces, with those that Docker sets by itself."""
    own = {key: text(value) for key, value in mapping(dig(container, "HostConfig.Sysctls")).items()}
    is_shared = network_mode(container)[0] in ("host", "container")
    wanted = own if is_shared or hardened else {**PARITY_SYSCTLS, **own}
    return [("sysctl", f"{key}={value}") for key, value in wanted.items()]


def findings(container: Json, known: Context) -> list[Finding]:
    """What Podman's networks do differently."""
    return [
        *_namespaces(container, known.names),
        *_links(container, known.names),
        *_link_conflicts(container, known),
        *_addresses(container),
        *_mac_addresses(container),
    ]


def _addresses(container: Json) -> Iterator[Finding]:
    """An address becomes a part of an option: what is none must not add others."""
    wanted = {}
    for network in mapping(dig(container, "NetworkSettings.Networks")):
        place = f"NetworkSettings.Networks.{network}.IPAMConfig."
        for key in ("IPv4Address", "IPv6Address"):
            wanted[place + key] = text(dig(endpoint_of(container, network), "IPAMConfig." + key))
    for spec, bindings in mapping(dig(container, "HostConfig.PortBindings")).items():
        for binding in items(bindings):
            wanted[f"HostConfig.PortBindings[{spec}].HostIp"] = text(mapping(binding).get("HostIp"))
    for path, address in wanted.items():
        if address and not is_address(address):
            message = f"{address[:80]!r} is no address."
            yield Finding(BLOCKER, "invalid-address", name_of(container), path, message, _REINSPECT)


def is_address(value: str) -> bool:
    """True for an address of IPv4 or IPv6."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    # A zone could hold anything.
    return "%" not in value


def _namespaces(container: Json, names: Mapping[str, str]) -> Iterator[Finding]:
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _colon, other = text(dig(container, "HostConfig." + key)).partition(":")
        if kind == "container" and not is_safe_name(names.get(other, "")):
            message = f"It uses a namespace of container {other[:80]!r}, which the inventory does not have."
            yield Finding(BLOCKER, "missing-container", name_of(container), "HostConfig." + key, message, _REINSPECT)
    for source in strings(dig(container, "HostConfig.VolumesFrom")):
        if source.split(":")[0] not in names:
            message = f"It has the volumes of container {source[:80]!r}, which the inventory does not have."
            yield Finding(
                INFO, "missing-container", name_of(container), "HostConfig.VolumesFrom", message, "None needed."
            )


_REINSPECT = "Start that container again or remove this one, and assess again."


def _links(container: Json, names: Mapping[str, str]) -> Iterator[Finding]:
    path = "HostConfig.Links"
    for target, alias in all_links(container, names):
        if target not in names:
            message = f"It is linked to {target[:80]!r}, which the inventory does not have."
            yield Finding(BLOCKER, "missing-container", name_of(container), path, message, _REINSPECT)
        elif not is_safe_name(alias):
            message = f"{alias[:80]!r} is no name that Docker would allow."
            yield Finding(BLOCKER, "invalid-name", name_of(container), path, message, _REINSPECT)
    if links_of(container) and is_on_default_bridge(container):
        message = "Docker gave it variables such as {0}_PORT for its links; Podman gives it the names only.".format(
            links_of(container)[0][1].upper().replace("-", "_")
        )
        remedy = "Set the variables that it reads by hand, or accept it when it uses the names."
        yield Finding(WARNING, "link-environment", name_of(container), path, message, remedy)


def _mac_addresses(container: Json) -> Iterator[Finding]:
    for network in mapping(dig(container, "NetworkSettings.Networks")):
        shown = text(endpoint_of(container, network).get("MacAddress"))
        if shown and not mac_address(container, network) and not is_generated(container, network):
            path = f"NetworkSettings.Networks.{network}.MacAddress"
            message = "Whether somebody chose its MAC address cannot be seen; Podman gives it another one."
            remedy = "If something depends on it, add mac= to the line Network= of its unit."
            yield Finding(INFO, "mac-address", name_of(container), path, message, remedy)


def shared(container: Json, names: Mapping[str, str]) -> list[Setting]:
    """Namespaces of processes and of their communication that are shared."""
    found = []
    for option, key in (("ipc", "IpcMode"), ("pid", "PidMode")):
        mode = text(dig(container, "HostConfig." + key))
        kind, colon, other = mode.partition(":")
        if kind == "container" and colon:
            found.append((option, "container:" + names.get(other, other)))
        elif mode not in ("", "private"):
            found.append((option, mode))
    return found


def parents(container: Json, names: Mapping[str, str]) -> list[str]:
    """The containers whose namespaces it uses: without them it cannot run."""
    modes = [text(dig(container, "HostConfig." + key)).partition(":") for key in ("NetworkMode", "PidMode", "IpcMode")]
    found = [names.get(other, other) for kind, colon, other in modes if kind == "container" and colon]
    return sorted(set(found))
