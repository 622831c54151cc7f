# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory, looked up by name: what every part of the translation needs (private to the collection)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import daemon
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import is_running, name_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    Json,
    PlanError,
    Version,
    dig,
    items,
    mapping,
    strings,
    text,
)

_FORMAT = 1
_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_PREFIX = "docker-"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Context:
    """The documents of an inventory by name or ID. Networks are found by both.

    ``containers`` have what the daemon gives them. ``names``: the name of each container by ID, short ID and name.
    ``limits``: of the first process of each container, by ID; under the empty ID what those without a process get.
    """

    version: Version
    containers: list[Json]
    names: Mapping[str, str]
    images: Mapping[str, Json]
    networks: Mapping[str, Json]
    volumes: Mapping[str, Json]
    engine: Json
    host: Json
    listening: Mapping[str, list[dict[str, Any]]]
    changes: Mapping[str, Json]
    limits: Mapping[str, Mapping[str, list[int]]]

    @property
    def data_root(self) -> str:
        return text(dig(self.engine, "info.DockerRootDir")) or "/var/lib/docker"

    @property
    def has_containerd_store(self) -> bool:
        """True when Docker keeps its images in containerd: their IDs are then digests of manifests (facts, section 3)."""
        return any(_CONTAINERD_STORE in items(pair) for pair in items(dig(self.engine, "info.DriverStatus")))

    @property
    def systemd(self) -> int:
        """The version of systemd on the host; where it is not known, one that has everything."""
        found = self.host.get("systemd")
        return found if isinstance(found, int) and found else 999

    def podman_names(self, *kinds: str) -> set[str]:
        """Names of objects that Podman has already, and that are not of this plan."""
        return {name for kind in kinds for name in strings(dig(self.host, "podman." + kind))}

    def limits_of(self, container: Json) -> Mapping[str, list[int]]:
        return self.limits.get(text(container.get("Id")), self.limits.get("", {}))

    def image_config(self, container: Json) -> Json:
        return mapping(self.images.get(text(container.get("Image")), {}).get("Config"))


def context(inventory: Any, version: Version) -> Context:
    """Look an inventory up. Raises PlanError naming the JSON path that is not what Docker would say."""
    document = _checked(inventory)
    networks = _documents(document, "networks")
    processes = mapping(document.get("processes"))
    engine, host = mapping(document.get("engine")), mapping(document.get("host"))
    is_enforcing, settings = host.get("selinux") == "enforcing", daemon.settings(engine)
    containers = sorted(_documents(document, "containers"), key=name_of)
    return Context(
        version=version,
        containers=[daemon.effective(container, settings, is_enforcing) for container in containers],
        names=_names(containers),
        images={text(image.get("Id")): image for image in _documents(document, "images")},
        networks={text(network.get(key)): network for network in networks for key in ("Id", "Name")},
        volumes={text(volume.get("Name")): volume for volume in _documents(document, "volumes")},
        engine=engine,
        host=host,
        listening={key: [mapping(s) for s in items(mapping(view).get("listening"))] for key, view in processes.items()},
        changes={key: mapping(change) for key, change in mapping(document.get("changes")).items()},
        limits=_limits(containers, processes),
    )


def _names(containers: list[Json]) -> dict[str, str]:
    keys = ((text(item.get("Id")), name_of(item)) for item in containers)
    return {key: name for number, name in keys for key in (number, number[:12], name) if key}


def _limits(containers: list[Json], processes: Json) -> dict[str, Mapping[str, list[int]]]:
    """What the kernel shows; for containers that do not run, what one has that sets none of its own."""
    found: dict[str, Mapping[str, list[int]]] = {}
    for container in containers:
        number = text(container.get("Id"))
        limits = {
            name: [int(bound) for bound in pair]
            for name, pair in mapping(mapping(processes.get(number)).get("limits")).items()
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(bound, int) for bound in pair)
        }
        if limits and is_running(container):
            found[number] = limits
            if not dig(container, "HostConfig.Ulimits"):
                found.setdefault("", limits)
    return found


def _checked(inventory: Any) -> Json:
    if not isinstance(inventory, dict):
        raise PlanError("The inventory is not a JSON object; make it with the module docker_inventory.")
    if inventory.get("format") != _FORMAT:
        found = inventory.get("format")
        raise PlanError(f"format: the inventory has format {found!r}, this version reads {_FORMAT}.")
    if not isinstance(inventory.get("containers"), list):
        raise PlanError("containers: the inventory has no list of containers; nothing can be planned from it.")
    return inventory


def _documents(inventory: Json, key: str) -> list[Json]:
    found = items(inventory.get(key))
    for number, document in enumerate(found):
        name = text(mapping(document).get("Name") or mapping(document).get("Id"))
        if not name:
            raise PlanError(f"{key}[{number}]: this is no document of Docker; make the inventory again.")
    return found


class Services:
    """Unit names that collide with nothing: neither with a unit of the host, nor with each other."""

    def __init__(self, host: Json) -> None:
        self._taken: set[str] = set(strings(host.get("units")))

    def choose(self, name: str, suffix: str = "") -> str:
        """A base name whose service (``base + suffix + .service``) is free; it is taken from now on."""
        number, base = 1, _UNSAFE.sub("-", name)
        while base + suffix + ".service" in self._taken:
            base = _PREFIX + name + ("" if number == 1 else f"-{number}")
            number += 1
        self._taken.add(base + suffix + ".service")
        return base
