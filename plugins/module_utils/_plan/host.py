# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else on the host was made for Docker, and would be surprised when it is gone (private to the collection)."""

from __future__ import annotations

from typing import Collection

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import (
    is_on_default_bridge,
    name_of,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.context import Context
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    INFO,
    WARNING,
    Finding,
    Json,
    dig,
    items,
    mapping,
    strings,
    text,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.ports import published

# What Docker has on the host for a published port, which is the container's.
_PROXY = "docker-proxy"


def findings(context: Context) -> list[Finding]:
    """Rules, listeners, units and crontabs of the host that go by Docker."""
    host = context.host
    return [
        *_user_rules(host),
        *_bridge_rules(host),
        *_saved_rules(host),
        *_listeners(context),
        *_default_bridge(context),
        *_units(host),
        *_crontabs(host),
    ]


def _user_rules(host: Json) -> list[Finding]:
    if not strings(host.get("docker_user")):
        return []
    message = (
        "DOCKER-USER has rules of yours. They hold until the first boot without Docker: nobody makes that chain then, and a "
        "port that they close is open."
    )
    remedy = "Have what writes them write them to FORWARD at a boot, and accept docker-user."
    return [Finding(WARNING, "docker-user", "engine", "host.docker_user", message, remedy)]


def _bridge_rules(host: Json) -> list[Finding]:
    # The same words whatever the rules: other programs add and remove some all the time.
    if not strings(host.get("bridge_rules")):
        return []
    message = (
        "Firewall rules of yours name Docker's bridges, or close INPUT or FORWARD in a table of their own (iptables-save, nft "
        "list ruleset). Podman's bridges are called podman0 and pm-…, and what these rules let pass may end there."
    )
    remedy = "Write the same for podman* and pm-*, and accept bridge-rules."
    return [Finding(WARNING, "bridge-rules", "engine", "host.bridge_rules", message, remedy)]


def _saved_rules(host: Json) -> list[Finding]:
    return [
        Finding(
            WARNING,
            "saved-rules",
            path,
            "host.saved_rules",
            "It holds Docker's chains, or closes FORWARD, as Docker's rules came before it: at the first boot without Docker "
            "nothing lets through what Podman publishes, and what its containers begin.",
            "Remove Docker's chains and the policy DROP of FORWARD from it, and accept saved-rules until then.",
        )
        for path in strings(host.get("saved_rules"))
    ]


def _listeners(context: Context) -> list[Finding]:
    """Only the default bridge loses its address: Podman's networks take those of the others."""
    config = items(dig(context.networks.get("bridge"), "IPAM.Config"))
    gateways = {text(mapping(item).get("Gateway")) for item in config} - {""}
    found = [item for item in map(mapping, items(context.host.get("listeners"))) if item.get("process") != _PROXY]
    # Who binds every address one by one will bind those that come.
    others = {_who(item) for item in found if not _is_local(text(item.get("address")), gateways)}
    message = "{} listens on {}, {} port {}, the address of docker0, which goes with Docker."
    places = [
        (
            text(item.get("process")) or "host",
            "host.listeners",
            item.get("address"),
            item.get("proto"),
            item.get("port"),
        )
        for item in found
        if text(item.get("address")) in gateways and _who(item) not in others
    ]
    places += [
        (name_of(container), "HostConfig.PortBindings", port["host_ip"], port["proto"], port["host_port"])
        for container in context.containers
        for port in published(container).ports
        if port["host_ip"] in gateways
    ]
    remedy = (
        "Have it listen on all addresses, or on those that the containers will have it at, and accept bridge-address."
    )
    return [
        Finding(WARNING, "bridge-address", who, path, message.format(who, *where), remedy)
        for who, path, *where in places
    ]


def _who(listener: Json) -> tuple[object, ...]:
    return tuple(listener.get(key) for key in ("process", "proto", "port"))


def _is_local(address: str, gateways: Collection[str]) -> bool:
    return address in gateways or address.startswith("127.") or address == "::1"


def _default_bridge(context: Context) -> list[Finding]:
    message = (
        "It is on Docker's default bridge, and will be on Podman's: another subnet (10.88.0.0/16), which rules and grants by "
        "address have to know."
    )
    return [
        Finding(INFO, "default-bridge", name_of(container), "HostConfig.NetworkMode", message, "Look for its subnet.")
        for container in context.containers
        if is_on_default_bridge(container)
    ]


def _units(host: Json) -> list[Finding]:
    found = []
    for unit in map(mapping, items(host.get("docker_units"))):
        if unit.get("calls"):
            message = "It calls Docker: what it starts would run beside Podman, and what it removes has no way back."
        else:
            message = "It needs docker.service, and ends with it."
        remedy = (
            "Change it, or disable it and move its file away (systemctl daemon-reload; do not stop one that would remove "
            "containers), and accept docker-unit for what shall stay."
        )
        found.append(Finding(WARNING, "docker-unit", text(unit.get("name")), "host.docker_units", message, remedy))
    return found


def _crontabs(host: Json) -> list[Finding]:
    message = "It calls Docker, which will not be there."
    remedy = "Have it call podman, which knows the same words, and accept docker-crontab."
    return [
        Finding(WARNING, "docker-crontab", path, "host.docker_crontabs", message, remedy)
        for path in strings(host.get("docker_crontabs"))
    ]
