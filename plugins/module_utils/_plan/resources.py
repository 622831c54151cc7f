# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and volumes of a workload: units, and what stage and cutover need (private to the collection)."""

from __future__ import annotations

import hashlib
import re
from typing import Mapping, NamedTuple, Sequence

from .._common.json import Json, dig, items, mapping, text
from . import policy
from ._documents.containers import name_of, project_of
from ._documents.context import Context, Services
from ._tables.options import NAMED_RESOURCES, Setting
from ._topics import adopted, network_options, routes, volume_options
from ._topics.mounts import mounts_of
from ._topics.process import labels
from .unit_file import Unit

_ANONYMOUS = re.compile(r"[0-9a-f]{64}\Z")
# Words of --network (podman-run(1), podman-network-create(1)), and Podman's own network.
_RESERVED = frozenset(
    ["bridge", "container", "default", "host", "none", "ns", "pasta", "path", "podman", "pod", "private", "slirp4netns"]
)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class Resource(NamedTuple):
    """A network or volume: its name in Docker, its unit (none for an adopted volume), and its entry in the plan."""

    docker_name: str
    unit: Unit | None
    entry: Json


def network(document: Json, context: Context, services: Services) -> Resource:
    """The .network unit with the same subnets, and the bridge that makes room for it."""
    name = text(document.get("Name"))
    base = services.choose(name, "-network")
    number = text(document.get("Id"))[:12]
    configs = [mapping(config) for config in items(dig(document, "IPAM.Config"))]
    settings = [
        *network_options.settings(document, "pm-" + number, context.version),
        *routes.settings(name, context),
        *labels(document.get("Labels")),
    ]
    entry = {
        **_network_entry(name, base, settings, context),
        "docker_name": name,
        "docker_id": text(document.get("Id")),
        "bridge": network_options.bridge(document),
        "addresses": [_address(config) for config in configs if config.get("Gateway") and config.get("Subnet")],
    }
    return Resource(name, _unit("Network", base + ".network", entry["name"], settings, context), entry)


def link_network(workload: str, context: Context, services: Services) -> Resource:
    """A network on which linked containers of Docker's default bridge know each other by name."""
    base = services.choose(workload + "-links", "-network")
    # A name that no bridge of Docker's networks gives.
    bridge = "pm-" + hashlib.sha256(base.encode()).hexdigest()[:12]
    settings = network_options.bridge_settings(bridge, context.version)
    entry = {**_network_entry(base, base, settings, context), "docker_name": "bridge", "docker_id": None, "bridge": "",
             "addresses": []}  # fmt: skip
    return Resource("bridge", _unit("Network", base + ".network", entry["name"], settings, context), entry)


def _network_entry(name: str, base: str, settings: Sequence[Setting], context: Context) -> Json:
    return {
        "name": _object_name(network_name(name, context), base, context),
        "podman_bridge": dict(settings).get("interface", ""),
        "service": base + "-network.service",
    }


def network_name(name: str, context: Context) -> str:
    """The name of a network in Podman: that of Docker, unless it means something else there."""
    if name not in _RESERVED:
        return name
    name += "-docker"
    while name in context.networks:
        name += "-1"
    return name


def _object_name(name: str, base: str, context: Context) -> str:
    return name if context.version >= NAMED_RESOURCES else "systemd-" + base


def _unit(section: str, file_name: str, name: str, settings: Sequence[Setting], context: Context) -> Unit:
    named = [("name", name)] if context.version >= NAMED_RESOURCES else []
    return Unit(file_name, section, [*named, *settings])


def _address(config: Json) -> str:
    return "{}/{}".format(text(config.get("Gateway")), text(config.get("Subnet")).rpartition("/")[2])


def volumes(containers: Sequence[Json], context: Context, services: Services, rules: Json) -> list[Resource]:
    """The volumes of a workload, each once. An anonymous one gets a name: Podman would delete it at every stop."""
    found = {}
    for container in containers:
        for mount in mounts_of(container, "volume"):
            docker_name = text(mount.get("Name"))
            if docker_name and docker_name not in found:
                found[docker_name] = _volume(docker_name, container, mount, context, services, rules)
    used_in_place = adopted.names(containers, context, rules)
    return [_in_place(found[name], context) if name in used_in_place else found[name] for name in sorted(found)]


def _in_place(volume: Resource, context: Context) -> Resource:
    """A volume that is no volume in Podman, but a folder under another name."""
    where = "{}/{}".format(adopted.folder(context.data_root), volume.entry["name"])
    return Resource(volume.docker_name, None, {**volume.entry, "strategy": adopted.ADOPT, "place": where})


def _volume(
    docker_name: str, container: Json, mount: Json, context: Context, services: Services, rules: Json
) -> Resource:
    destination = text(mount.get("Destination"))
    if _ANONYMOUS.match(docker_name):
        base = services.choose(_given_name(name_of(container), destination, context), "-volume")
        name = base
    else:
        name, base = docker_name, services.choose(docker_name, "-volume")
    document = context.volumes.get(docker_name, {})
    own, driver = labels(document.get("Labels")), volume_options.settings(document)
    entry: Json = {
        "source": text(document.get("Mountpoint")) or text(mount.get("Source")),
        "docker_name": docker_name,
        "name": _object_name(name, base, context),
        "path": destination,
        "strategy": "copy",
        "verify": policy.choice(rules, "verify", project_of(container), name_of(container)),
        "labels": dict(value.split("=", 1) for _option, value in own),
        "driver_opts": {"o" if option == "options" else option: value for option, value in driver},
    }
    entry.update(context.persisted.get(docker_name, {}))
    return Resource(docker_name, _unit("Volume", base + ".volume", entry["name"], [*driver, *own], context), entry)


def _given_name(container: str, destination: str, context: Context) -> str:
    """A name for an anonymous volume, after its container and place, that no volume of Docker has."""
    slug = _UNSAFE.sub("-", destination.strip("/").replace("/", "-")) or "data"
    name = f"{container}-{slug}"
    while name in context.volumes:
        name += "-1"
    return name


def files(found: Sequence[Resource]) -> Mapping[str, str]:
    """The unit of each resource, or the folder of an adopted volume, by its name in Docker."""
    return {item.docker_name: item.unit.file_name if item.unit else item.entry["place"] for item in found}
