# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published and exposed ports (private to the collection)."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..._common.json import Json, dig, items, mapping, text
from .._documents.containers import has_own_network
from .._tables.options import Setting


class Published(NamedTuple):
    """Ports as {host_ip, host_port, proto, container_port}, and whether one of them was chosen by Docker.

    ``open``: what Docker would choose a port for only when the container starts, as Podman writes it.
    """

    ports: list[dict[str, Any]]
    chosen: bool
    open: list[str]


def published(container: Json) -> Published:
    """From HostConfig.PortBindings: NetworkSettings.Ports lists each twice, for IPv4 and IPv6.

    A port that Docker chose is the one in use now. None where Docker discards them (see ``is_discarded``).
    """
    if not has_own_network(container):
        return Published([], False, [])
    found: list[dict[str, Any]] = []
    chosen, unchosen = False, []
    # Docker lists what it publishes on all addresses a second time, for IPv6.
    in_use = {
        spec: [one for one in items(found) if mapping(one).get("HostIp") != "::" or _is_alone(found)]
        for spec, found in mapping(dig(container, "NetworkSettings.Ports")).items()
    }
    for spec, bindings in sorted(_bindings(container).items()):
        current = [mapping(item) for item in items(in_use.get(spec))]
        for binding in map(mapping, items(bindings)):
            port, address = text(binding.get("HostPort")), text(binding.get("HostIp"))
            if not is_port(port):
                # Empty, 0 or a range: Docker chose.
                port = _in_use(current, address)
                chosen = chosen or bool(port)
            inner, _slash, proto = spec.partition("/")
            if not (is_port(port) and is_port(inner)):
                unchosen.append(_unchosen(address, spec))
                continue
            found.append(
                {
                    "host_ip": address,
                    "host_port": int(port),
                    "proto": proto or "tcp",
                    "container_port": int(inner),
                }
            )
    return Published(found, chosen, unchosen)


def is_discarded(container: Json) -> bool:
    """True when ports were asked for, and Docker published none: the container has no network of its own."""
    return not has_own_network(container) and bool(_bindings(container))


def _bindings(container: Json) -> Json:
    """What was asked for; with PublishAllPorts also every exposed port, on a port that Docker chose."""
    asked = {spec: items(found) or [{}] for spec, found in mapping(dig(container, "HostConfig.PortBindings")).items()}
    if dig(container, "HostConfig.PublishAllPorts") is True:
        exposed = mapping(dig(container, "Config.ExposedPorts"))
        asked = {**{spec: [{}] for spec in exposed}, **asked}
    return asked


def _is_alone(found: Any) -> bool:
    return not any(mapping(one).get("HostIp") == "0.0.0.0" for one in items(found))


def _in_use(current: list[Json], address: str) -> str:
    """The port that is in use on an address; it is taken from the list, as others may have the same address."""
    for number, binding in enumerate(current):
        if text(binding.get("HostIp")) in ((address,) if address else ("0.0.0.0", "::", "")):
            return text(current.pop(number).get("HostPort"))
    return ""


def is_port(value: str) -> bool:
    """True for the number of a port."""
    return value.isascii() and value.isdigit() and len(value) < 6 and 0 < int(value) < 65536


def settings(container: Json) -> list[Setting]:
    """The published ports as Podman writes them."""
    found = published(container)
    return [publish(port) for port in found.ports] + [("publish", value) for value in found.open]


def publish(port: dict[str, Any]) -> Setting:
    """A published port as Podman writes it."""
    protocol = "" if port["proto"] == "tcp" else "/" + port["proto"]
    inner = "{}{}".format(port["container_port"], protocol)
    return "publish", "{}{}:{}".format(_prefix(port["host_ip"]), port["host_port"], inner)


def _unchosen(address: str, spec: str) -> str:
    inner = spec[: -len("/tcp")] if spec.endswith("/tcp") else spec
    return f"{_prefix(address)}:{inner}" if address else inner


def _prefix(address: str) -> str:
    return f"[{address}]:" if ":" in address else address and address + ":"


def exposed(container: Json, image: Json) -> list[Setting]:
    """Ports that are exposed by neither the image nor a published port; none without a network of the container's own."""
    if not has_own_network(container):
        return []
    known = {*mapping(image.get("ExposedPorts")), *_bindings(container)}
    return [("expose", spec) for spec in sorted(mapping(dig(container, "Config.ExposedPorts"))) if spec not in known]
