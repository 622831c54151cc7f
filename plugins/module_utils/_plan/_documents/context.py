# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory, looked up by name: what every part of the translation needs (private to the collection)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Mapping

from ..._common.json import Json, dig, items, mapping, strings, text
from ..hidden import NOTHING, Secrets
from ..model import PlanError, Version
from . import daemon, image_names
from .containers import is_running, name_of

PARTS = ("engine", "images", "networks", "volumes", "changes", "processes", "host")
"""What an inventory has beside containers; each may be missing, and then less can be said."""

_FORMAT = 1
_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_PREFIX = "docker-"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Context:
    """The documents of an inventory by name or ID. Networks are found by both.

    ``containers`` have what the daemon gives them. ``names``: the name of each container by ID, short ID and name.
    ``limits``: of the first process of each container, by ID; under the empty ID what those without a process get.
    ``ambiguous``: names of networks that several have. ``missing``: the parts that the inventory does not have.
    ``persisted``: what the plan says of volumes that are folders of a container yet, by their name to be.
    ``committed``: the names of images to be made of containers, by container. ``secrets``: what no text may show.
    ``metrics`` and ``detours``: which network containers leave through (``_topics/routes.py``).
    """

    version: Version
    containers: list[Json]
    by_name: Mapping[str, Json]
    names: Mapping[str, str]
    images: Mapping[str, Json]
    networks: Mapping[str, Json]
    volumes: Mapping[str, Json]
    engine: Json
    host: Json
    listening: Mapping[str, list[dict[str, Any]]]
    changes: Mapping[str, Json]
    image_configs: Mapping[str, Any]
    limits: Mapping[str, Mapping[str, list[int]]]
    missing: tuple[str, ...]
    ambiguous: frozenset[str]
    persisted: Mapping[str, Json] = field(default_factory=dict)
    committed: Mapping[str, str] = field(default_factory=dict)
    secrets: Secrets = NOTHING
    metrics: Mapping[str, int] = field(default_factory=dict)
    detours: Mapping[str, str] = field(default_factory=dict)

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

    def config_digest(self, image: str) -> str:
        """The digest of an image's config, which is its ID in Podman; "" when it is not known."""
        found = text(self.image_configs.get(image)) if self.has_containerd_store else image
        return found if image_names.is_valid(found) else ""

    def podman_names(self, *kinds: str) -> set[str]:
        """Names of objects that Podman has already, and that are not of this plan."""
        return {name for kind in kinds for name in strings(dig(self.host, "podman." + kind))}

    def limits_of(self, container: Json) -> Mapping[str, list[int]]:
        return self.limits.get(text(container.get("Id")), self.limits.get("", {}))

    def image_config(self, container: Json) -> Json:
        return mapping(self.images.get(text(container.get("Image")), {}).get("Config"))


def context(inventory: Any, version: Version) -> Context:
    """Look an inventory up. Raises PlanError naming the JSON path that is not what Docker would say.

    A list is taken for what ``docker inspect`` prints; parts that are missing are made up from the containers.
    """
    document = _checked(inventory)
    containers = sorted(_documents(document, "containers"), key=name_of)
    networks = _documents(document, "networks") or _made_up(document, "networks", _networks_of(containers))
    images = _documents(document, "images") or _made_up(document, "images", _images_of(containers))
    volumes = _documents(document, "volumes") or _made_up(document, "volumes", _volumes_of(containers))
    processes, engine, host = (mapping(document.get(key)) for key in ("processes", "engine", "host"))
    settings, selinux = daemon.settings(engine), text(host.get("selinux"))
    effective = [daemon.effective(container, settings, selinux) for container in containers]
    return Context(
        version=version,
        containers=effective,
        by_name={name_of(container): container for container in effective},
        names=_names(containers),
        images={text(image.get("Id")): image for image in images},
        networks={text(network.get(key)): network for network in networks for key in ("Id", "Name")},
        volumes={text(volume.get("Name")): volume for volume in volumes},
        engine=engine,
        host=host,
        listening={key: [mapping(s) for s in items(mapping(view).get("listening"))] for key, view in processes.items()},
        changes={key: mapping(change) for key, change in mapping(document.get("changes")).items()},
        image_configs=mapping(document.get("image_configs")),
        limits=_limits(containers, processes),
        ambiguous=_ambiguous(networks),
        missing=tuple(key for key in PARTS if document.get(key) is None),
    )


def _ambiguous(networks: list[Json]) -> frozenset[str]:
    numbers: dict[str, set[str]] = {}
    for network in networks:
        numbers.setdefault(text(network.get("Name")), set()).add(text(network.get("Id")))
    return frozenset(name for name, found in numbers.items() if len(found) > 1)


def _made_up(document: Json, key: str, found: list[Json]) -> list[Json]:
    return found if document.get(key) is None else []


def _images_of(containers: list[Json]) -> list[Json]:
    """Images as far as containers name them; nothing is known of what they set."""
    typed = {text(item.get("Image")): text(dig(item, "Config.Image")) for item in containers}
    return [{"Id": number, "RepoTags": [name] if name and name not in number else []} for number, name in typed.items()]


def _networks_of(containers: list[Json]) -> list[Json]:
    endpoints = [pair for item in containers for pair in mapping(dig(item, "NetworkSettings.Networks")).items()]
    return [{"Name": name, "Id": text(mapping(endpoint).get("NetworkID"))} for name, endpoint in endpoints]


def _volumes_of(containers: list[Json]) -> list[Json]:
    mounts = [mapping(mount) for item in containers for mount in items(item.get("Mounts"))]
    return [
        {"Name": text(mount.get("Name")), "Mountpoint": text(mount.get("Source"))}
        for mount in mounts
        if mount.get("Type") == "volume" and text(mount.get("Name"))
    ]


def _names(containers: list[Json]) -> dict[str, str]:
    keys = ((text(item.get("Id")), name_of(item)) for item in containers)
    return {key: name for number, name in keys for key in (number, number[:12], name) if key}


def _limits(containers: list[Json], processes: Json) -> dict[str, Mapping[str, list[int]]]:
    """What the kernel shows; for containers that do not run, what most have that set none of their own."""
    found: dict[str, Mapping[str, list[int]]] = {}
    usual: list[Mapping[str, list[int]]] = []
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
                usual.append(limits)
    if usual:
        # A program can have changed its own.
        found[""] = max(usual, key=usual.count)
    return found


def _checked(inventory: Any) -> Json:
    if isinstance(inventory, list):
        inventory = {"format": _FORMAT, "containers": inventory}
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
