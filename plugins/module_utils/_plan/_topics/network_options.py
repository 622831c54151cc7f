# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of Docker's network drivers in Podman's words (private to the collection)."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

from ..._common.json import Json, dig, items, mapping, strings, text
from .._tables.options import NETWORK_ARGUMENTS, Setting
from ..model import BLOCKER, INFO, WARNING, Finding, Version

DRIVERS = ("bridge", "macvlan", "ipvlan")

_PREFIX = "com.docker.network."
_BRIDGE_NAME = _PREFIX + "bridge.name"
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}\Z")
_ISOLATED_BY_DEFAULT = (6, 0, 0)
# containers.conf(5), default_subnet.
_PODMANS = ipaddress.ip_network("10.88.0.0/16")

_TRANSLATED = {
    _PREFIX + "driver.mtu": "mtu",
    "parent": "parent",
    "macvlan_mode": "mode",
    "ipvlan_mode": "mode",
}
"""Docker's option -> Podman's."""

_NOTHING = {
    _PREFIX + "enable_ipv4": ("true",),
    _PREFIX + "enable_ipv6": ("true", "false"),
    _PREFIX + "bridge.default_bridge": ("true",),
    _PREFIX + "bridge.enable_icc": ("true",),
    _PREFIX + "bridge.enable_ip_masquerade": ("true",),
    _PREFIX + "bridge.host_binding_ipv4": ("0.0.0.0",),
    _PREFIX + "container_iface_prefix": ("eth",),
    _PREFIX + "bridge.gateway_mode_ipv4": ("nat",),
    _PREFIX + "bridge.gateway_mode_ipv6": ("nat",),
}
"""Options whose value is Docker's default, or is said elsewhere."""


def settings(document: Json, own_bridge: str, version: Version) -> list[Setting]:
    """Driver, options, subnets. ``own_bridge``: the name of Podman's bridge, other than Docker's."""
    driver = text(document.get("Driver")) or "bridge"
    settings = [("driver", driver)] if driver != "bridge" else bridge_settings(own_bridge, version)
    given = mapping(document.get("Options"))
    settings += [("option", f"{_TRANSLATED[key]}={text(given[key])}") for key in sorted(given) if key in _TRANSLATED]
    # Quadlet pairs subnets, gateways and ranges by their order: those that have all come first.
    configs = [mapping(config) for config in items(dig(document, "IPAM.Config"))]
    for config in sorted(configs, key=lambda one: (not one.get("Gateway"), not one.get("IPRange"))):
        settings += [
            (option, text(config.get(key)))
            for option, key in (("subnet", "Subnet"), ("gateway", "Gateway"), ("ip_range", "IPRange"))
            if config.get(key)
        ]
    settings += [("ipam_driver", "none")] if dig(document, "IPAM.Driver") == "null" else []
    settings += [("ipv6", "true")] if document.get("EnableIPv6") is True else []
    return settings + ([("internal", "true")] if document.get("Internal") is True else [])


def bridge_settings(own_bridge: str, version: Version) -> list[Setting]:
    """A bridge that is kept apart from others, as Docker's are."""
    named = [("interface", own_bridge)] if own_bridge and version >= NETWORK_ARGUMENTS else []
    apart = [("option", "isolate=true")] if version < _ISOLATED_BY_DEFAULT else []
    return [("driver", "bridge"), *named, *apart]


def bridge(document: Json) -> str:
    """The name of Docker's bridge; empty for a network that has none."""
    if text(document.get("Driver")) not in ("", "bridge"):
        return ""
    given = text(mapping(document.get("Options")).get(_BRIDGE_NAME))
    return given if _INTERFACE.match(given) else "br-" + text(document.get("Id"))[:12]


def _parent(document: Json) -> list[Finding]:
    """The link of the host below a network: Docker can make one, Podman cannot."""
    name, given = text(document.get("Name")), mapping(document.get("Options"))
    if document.get("Driver") not in ("macvlan", "ipvlan"):
        return []
    if not given.get("parent"):
        message = "Docker gave it a link of its own; Podman would put its containers on the host's network."
        remedy = "Create it again with --internal as a bridge, or with a parent."
        return [Finding(BLOCKER, "network-parent", name, "Options[parent]", message, remedy)]
    if "." in text(given["parent"]):
        message = "Docker makes the VLAN {} itself, and it goes away with Docker.".format(text(given["parent"])[:20])
        remedy = "Make it in the host's own network settings, and accept this."
        return [Finding(WARNING, "network-parent", name, "Options[parent]", message, remedy)]
    return []


def _default_subnet(document: Json) -> list[Finding]:
    """A subnet that Podman has for its own network: it refuses the network at its start (tried on 5.4.2)."""
    found = []
    for config in (mapping(item) for item in items(dig(document, "IPAM.Config"))):
        subnet = text(config.get("Subnet"))
        with suppress(ValueError):
            if ipaddress.ip_network(subnet, strict=False).overlaps(_PODMANS):
                message = f"Its subnet {subnet} overlaps {_PODMANS}, which Podman keeps for its default network: nothing on it would start."
                remedy = (
                    "Set default_subnet, in the section [network] of /etc/containers/containers.conf, to a range that this host "
                    "does not use; and accept this."
                )
                name = text(document.get("Name"))
                found.append(Finding(WARNING, "default-subnet", name, "IPAM.Config", message, remedy))
    return found


def host_bridge(document: Json, ports: Json) -> list[Finding]:
    """Whether the bridge is the host's own, by the links that are attached to each bridge (``ports``)."""
    links = strings(ports.get(bridge(document)))
    if not links:
        return []
    message = f"Its bridge {bridge(document)} is the host's own, with {', '.join(links)}: Podman's would take the host's address."
    remedy = (
        "Move its containers to a network with a bridge of its own, or to one of the driver macvlan; or exclude them."
    )
    return [Finding(BLOCKER, "host-bridge", text(document.get("Name")), f"Options[{_BRIDGE_NAME}]", message, remedy)]


def findings(document: Json) -> list[Finding]:
    """Drivers and options that Podman does not have."""
    name, driver = text(document.get("Name")), text(document.get("Driver")) or "bridge"
    found = [*_parent(document), *_default_subnet(document)]
    if driver not in DRIVERS:
        message = f"Podman has no network driver {driver[:80]!r}."
        remedy = "Move the containers to a network of the driver bridge, macvlan or ipvlan."
        found.append(Finding(BLOCKER, "network-driver", name, "Driver", message, remedy))
    if text(dig(document, "IPAM.Driver")) not in ("", "default", "null"):
        message = "Its addresses are given out by a plugin of Docker."
        found.append(Finding(BLOCKER, "ipam-driver", name, "IPAM.Driver", message, "Use the driver default."))
    for key, value in sorted(mapping(document.get("Options")).items()):
        path = f"Options[{key}]"
        if key == _BRIDGE_NAME:
            message = f"Docker's bridge is called {text(value)[:20]!r}; Podman's gets a name of its own."
            remedy = "Change rules of the firewall that name it."
            found.append(Finding(INFO, "bridge-name", name, path, message, remedy))
        elif key not in _TRANSLATED and value not in _NOTHING.get(key, ()):
            message = f"Podman has no network option like {key[:80]}."
            remedy = "Accept it if the applications do without."
            found.append(Finding(WARNING, "network-option", name, path, message, remedy))
    return found
