# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else on the host was made for Docker, and would be surprised when it is gone (private to the collection)."""

from __future__ import annotations

from typing import Any, Collection

from ..._common.json import Json, dig, items, mapping, strings, text
from .._documents.containers import is_on_default_bridge, name_of
from .._documents.context import Context
from ..model import INFO, WARNING, Finding
from .ports import published

# What Docker has on the host for a published port, which is the container's.
_PROXY = "docker-proxy"


# Part of the host -> code, what it is about ("" is each item), message, remedy. The same words whatever the rules: other
# programs add and remove some all the time.
_PARTS = {
    "docker_user": (
        "docker-user",
        "engine",
        (
            "DOCKER-USER has rules of yours. They hold until the first boot without Docker: nobody makes that chain then, and a "
            "port that they close is open."
        ),
        "Have what writes them write them to FORWARD at a boot, and accept docker-user.",
    ),
    "bridge_rules": (
        "bridge-rules",
        "engine",
        (
            "Firewall rules of yours name Docker's bridges, or close INPUT or FORWARD in a table of their own (iptables-save, nft "
            "list ruleset). Podman's bridges are called podman0 and pm-…, and what these rules let pass may end there."
        ),
        "Write the same for podman* and pm-*, and accept bridge-rules.",
    ),
    "saved_rules": (
        "saved-rules",
        "",
        (
            "It holds Docker's chains, or closes FORWARD, as Docker's rules came before it: at the first boot without Docker "
            "nothing lets through what Podman publishes, and what its containers begin."
        ),
        "Remove Docker's chains and the policy DROP of FORWARD from it, and accept saved-rules until then.",
    ),
    "docker_crontabs": (
        "docker-crontab",
        "",
        "It calls Docker, which will not be there.",
        "Have it call podman, which knows the same words, and accept docker-crontab.",
    ),
}


def findings(context: Context) -> list[Finding]:
    """Rules, listeners, units and crontabs of the host that go by Docker."""
    return [*_parts(context.host), *_bridge_addresses(context), *_default_bridge(context), *_units(context.host)]


def _parts(host: Json) -> list[Finding]:
    return [
        Finding(WARNING, code, place, "host." + part, message, remedy)
        for part, (code, subject, message, remedy) in _PARTS.items()
        for place in ([subject] if subject and strings(host.get(part)) else strings(host.get(part)))
    ]


def _bridge_addresses(context: Context) -> list[Finding]:
    """Only the default bridge loses its address: Podman's networks take those of the others."""
    config = items(dig(context.networks.get("bridge"), "IPAM.Config"))
    gateways = {text(mapping(item).get("Gateway")) for item in config} - {""}
    found = [item for item in map(mapping, items(context.host.get("listeners"))) if item.get("process") != _PROXY]
    # Who binds every address one by one will bind those that come.
    others = {_who(item) for item in found if not _is_local(text(item.get("address")), gateways)}
    return [
        _bridge_address(text(item.get("process")) or "host", "host.listeners", item.get("address"), item)
        for item in found
        if text(item.get("address")) in gateways and _who(item) not in others
    ] + [
        _bridge_address(
            name_of(container), "HostConfig.PortBindings", port["host_ip"], {**port, "port": port["host_port"]}
        )
        for container in context.containers
        for port in published(container).ports
        if port["host_ip"] in gateways
    ]


def _bridge_address(who: str, path: str, address: Any, port: Json) -> Finding:
    message = "{} listens on {}, {} port {}, the address of docker0, which goes with Docker."
    remedy = (
        "Have it listen on all addresses, or on those that the containers will have it at, and accept bridge-address."
    )
    said = message.format(who, address, port.get("proto"), port.get("port"))
    return Finding(WARNING, "bridge-address", who, path, said, remedy)


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
