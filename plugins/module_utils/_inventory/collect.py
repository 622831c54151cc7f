# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a Docker Engine runs on a host, as its API and the kernel report it (private to the collection).

The document is the ``inventory`` of the plan's contract: the API's own documents, unchanged, in a fixed order.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterable

from .._common.json import Json
from .._docker import content_store
from .._docker.api import Docker, DockerNotFound, part
from .._host.processes import Processes, container_view, read_processes
from .._state.records import FORMAT
from . import bind_sources, volume_links, written
from .host_facts import engine_config, host_facts
from .recorded import without

_AT_ONCE = 8
_ROUNDS = 5


def collect(
    docker: Docker,
    recorded: Json | None = None,
    moved: Iterable[str] = (),
    owned: Json | None = None,
    proc: str = "/proc",
) -> Json:
    """The inventory of a host.

    Containers in ``moved`` (IDs) keep what ``recorded`` says; what is ``owned`` (_record) is left out of ``host``.
    Raises DockerError, HostError, ProcessError or CommandError.
    """
    before, gone = recorded or {}, frozenset(moved)
    old = [item for item in before.get("containers", []) if item["Id"] in gone]
    kept = frozenset(item["Id"] for item in old)
    version, info = docker.version, docker.get("/info")
    fresh = [item for item in _containers(docker) if item["Id"] not in kept]
    processes = read_processes(proc)
    host = host_facts(processes, docker.socket_path, str(info["DockerRootDir"]), proc)
    images = _images(docker, fresh + old)
    host["socket_readers"] += _socket_mounts(fresh, docker.socket_path)
    recorded_binds = _only(before.get("host", {}), "binds", bind_sources.paths(old))
    host["binds"] = {**recorded_binds, **bind_sources.look(bind_sources.paths(fresh))}
    volumes = docker.get("/volumes")["Volumes"] or []
    host["volume_links"] = volume_links.look(volumes, str(info["DockerRootDir"]))

    def documents(kind: str, key: str, now: list[Json]) -> list[Json]:
        known, needed = {item[key] for item in now}, _references(old)
        lost = [item for item in before.get(kind, []) if item[key] in needed - known]
        return sorted(now + lost, key=lambda item: str(item[key]))

    return {
        "format": FORMAT,
        "engine": {
            "id": info["ID"],
            "version": version,
            "info": info,
            "config": engine_config(processes, docker.socket_path, proc),
        },
        "containers": sorted(fresh + old, key=lambda item: str(item["Name"])),
        "images": documents("images", "Id", images),
        "image_configs": {**before.get("image_configs", {}), **_image_configs(str(info["DockerRootDir"]), images)},
        "networks": documents("networks", "Name", _networks(docker)),
        "volumes": documents("volumes", "Name", volumes),
        "changes": {**_only(before, "changes", kept), **written.changes(docker, fresh, str(info["DockerRootDir"]))},
        "processes": {**_only(before, "processes", kept), **_views(fresh, processes, proc)},
        "host": without(host, owned or {}),
    }


def _containers(docker: Docker) -> list[Json]:
    """All inspect documents. What vanished between list and inspection may have been replaced: it is listed again."""
    known: dict[str, Json] = {}
    for _round in range(_ROUNDS):
        listed = [str(item["Id"]) for item in docker.get("/containers/json", all=1)]
        known = {container: known[container] for container in listed if container in known}
        missing = [container for container in listed if container not in known]
        found = _each(missing, lambda item: docker.get(_container(item), timeout=written.WALK_SECONDS, size=1))
        known.update({item["Id"]: item for item in found})
        if len(found) == len(missing):
            break
    return list(known.values())


def _container(identity: str) -> str:
    return "/containers/{0}/json".format(part(identity))


def _images(docker: Docker, containers: list[Json]) -> list[Json]:
    names = {name for item in containers for name in (item["Image"], item["Config"]["Image"]) if name}
    found = _each(sorted(names), lambda name: docker.get("/images/{0}/json".format(part(name))))
    return list({item["Id"]: item for item in found}.values())


def _image_configs(data_root: str, images: list[Json]) -> Json:
    """``{image ID: digest of its config}`` where containerd keeps the images: their IDs are those of manifests there,
    and Podman's will be that of the config."""
    found = {str(item["Id"]): content_store.find(data_root, str(item["Id"])) for item in images}
    return {identity: place[1].config_digest for identity, place in found.items() if place}


def _networks(docker: Docker) -> list[Json]:
    listed = sorted(item["Id"] for item in docker.get("/networks"))
    return _each(listed, lambda network: docker.get("/networks/{0}".format(part(network))))


def _each(names: list[str], read: Callable[[str], Json]) -> list[Json]:
    """``read`` every name, several at once; those that Docker does not know (any more) are left out."""

    def one(name: str) -> Json | None:
        try:
            return read(name)
        except DockerNotFound:
            return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [document for document in pool.map(one, names) if document is not None]


def _views(containers: list[Json], processes: Processes, proc: str) -> Json:
    running = [item for item in containers if item["State"]["Running"] and item["State"]["Pid"]]
    views = {item["Id"]: container_view(processes, item["State"]["Pid"], proc) for item in running}
    return {identity: view for identity, view in views.items() if view is not None}


def _socket_mounts(containers: list[Json], socket: str) -> list[str]:
    """IDs of containers that see Docker's socket: it, or a folder that it is in, is mounted into them."""
    real = os.path.realpath(socket)
    places = {real, *(str(parent) for parent in Path(real).parents)}

    def sees(mount: Json) -> bool:
        return mount["Type"] == "bind" and os.path.realpath(mount["Source"]) in places

    return sorted(item["Id"] for item in containers if any(sees(mount) for mount in item["Mounts"] or []))


def _references(containers: list[Json]) -> frozenset[str]:
    """IDs of images and names of networks and volumes that containers refer to."""
    found = {str(item["Image"]) for item in containers}
    for item in containers:
        found.update(item["NetworkSettings"].get("Networks") or {})
        found.update(str(mount.get("Name") or "") for mount in item.get("Mounts") or [])
    return frozenset(found)


def _only(document: Json, key: str, identities: frozenset[str]) -> Json:
    return {identity: value for identity, value in document.get(key, {}).items() if identity in identities}
