# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and volumes of a workload: units, and what stage and cutover need (private to the collection)."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import options, quadlet
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import labels, name_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.context import Context, Services
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    Json,
    dig,
    items,
    mapping,
    strings,
    text,
)

_ANONYMOUS = re.compile(r"[0-9a-f]{64}\Z")
_ISOLATED_BY_DEFAULT = (6, 0, 0)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_PARITY_OPTIONS = ("suid", "dev")
"""Podman mounts named volumes nosuid and nodev, Docker does not (facts, section 4)."""


class Resource(NamedTuple):
    """A network or volume: its name in Docker, its unit, and its entry in the plan."""

    docker_name: str
    file_name: str
    unit: str
    entry: Json


def network(document: Json, context: Context, services: Services) -> Resource:
    """The .network unit with the same subnets, and the bridge that makes room for it."""
    name = text(document.get("Name"))
    configs = [mapping(config) for config in items(dig(document, "IPAM.Config"))]
    bridge = "pm-" + text(document.get("Id"))[:12]
    settings = [("name", name), ("driver", "bridge"), ("interface", bridge)]
    for config in configs:
        settings += [
            (option, text(config.get(key)))
            for option, key in (("subnet", "Subnet"), ("gateway", "Gateway"), ("ip_range", "IPRange"))
            if config.get(key)
        ]
    settings += [("ipv6", "true")] if document.get("EnableIPv6") is True else []
    settings += [("internal", "true")] if document.get("Internal") is True else []
    settings += [("option", "isolate=true")] if context.version < _ISOLATED_BY_DEFAULT else []
    settings += labels(document.get("Labels"))
    base = services.choose(name, "-network")
    entry = {
        "name": name,
        "docker_name": name,
        "docker_id": text(document.get("Id")),
        "bridge": "br-" + text(document.get("Id"))[:12],
        "addresses": [_address(config) for config in configs if config.get("Gateway") and config.get("Subnet")],
        "podman_bridge": bridge,
        "service": base + "-network.service",
    }
    return Resource(name, base + ".network", _unit("Network", settings, context), entry)


def _address(config: Json) -> str:
    return "{}/{}".format(text(config.get("Gateway")), text(config.get("Subnet")).rpartition("/")[2])


def volumes(containers: list[Json], context: Context, services: Services) -> list[Resource]:
    """The volumes of a workload, each once. An anonymous one gets a name: Podman would delete it at every stop."""
    found = {}
    for container in containers:
        for mount in items(container.get("Mounts")):
            docker_name = text(mapping(mount).get("Name"))
            if mapping(mount).get("Type") == "volume" and docker_name and docker_name not in found:
                found[docker_name] = _volume(docker_name, container, mapping(mount), context, services)
    return [found[name] for name in sorted(found)]


def _volume(docker_name: str, container: Json, mount: Json, context: Context, services: Services) -> Resource:
    destination = text(mount.get("Destination"))
    name = docker_name
    if _ANONYMOUS.match(docker_name):
        slug = _UNSAFE.sub("-", destination.strip("/").replace("/", "-")) or "data"
        name = f"{name_of(container)}-{slug}"
        while name in context.volumes:
            name += "-1"
    document = context.volumes.get(docker_name, {})
    own = labels(document.get("Labels"))
    base = services.choose(name, "-volume")
    entry = {
        "source": text(document.get("Mountpoint")) or text(mount.get("Source")),
        "docker_name": docker_name,
        "name": name,
        "path": destination,
        "strategy": "copy",
        "labels": dict(value.split("=", 1) for _option, value in own),
        "driver_opts": {},
    }
    return Resource(docker_name, base + ".volume", _unit("Volume", [("name", name), *own], context), entry)


def _unit(section: str, settings: list[options.Setting], context: Context) -> str:
    return quadlet.render({section: options.lines(section, settings, context.version)})


def mounts(container: Json, volume_files: Json) -> list[options.Setting]:
    """The mounts of a container; ``volume_files`` maps Docker's volume name to the file of its unit."""
    return [_mount(mapping(mount), volume_files) for mount in items(container.get("Mounts"))]


def _mount(mount: Json, volume_files: Json) -> options.Setting:
    is_volume = mount.get("Type") == "volume"
    source = volume_files[mount["Name"]] if is_volume else text(mount.get("Source"))
    target = text(mount.get("Destination"))
    modes = (["ro"] if mount.get("RW") is False else []) + (list(_PARITY_OPTIONS) if is_volume else [])
    if ":" in source + target:
        read_only = ",ro=true" if mount.get("RW") is False else ""
        return "mount", f"type=bind,source={_csv(source)},destination={_csv(target)}{read_only}"
    return "volume", ":".join([source, target] + ([",".join(modes)] if modes else []))


def _csv(value: str) -> str:
    return '"{}"'.format(value.replace('"', '""')) if "," in value or '"' in value else value


def endpoint_aliases(container: Json, network_name: str) -> list[str]:
    """The names a container has on a network, without the short ID that older engines list."""
    endpoints = mapping(dig(container, "NetworkSettings.Networks"))
    short_id = text(container.get("Id"))[:12]
    found = strings(mapping(endpoints.get(network_name)).get("Aliases"))
    return sorted({alias for alias in found if alias != short_id and alias != name_of(container)})
