# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a Docker Engine runs on a host, as its API and the kernel report it (private to the collection).

The document is the ``inventory`` of the plan's contract: the API's own documents, unchanged, in a fixed order.
"""

from __future__ import annotations

import heapq
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterable

from .._common.json import Json
from .._docker import content_store
from .._docker.api import Docker, DockerNotFound, part
from .._host.processes import Processes, container_view, read_processes
from .._state.records import FORMAT
from . import bind_sources
from .host_facts import engine_config, host_facts
from .recorded import without

_AT_ONCE = 8
_ROUNDS = 5
# Docker walks the writable layer to answer; on a slow disk with millions of files that takes minutes.
_WALK_SECONDS = 900
_WRITABLE_BYTES = 1024 * 1024
# Enough to tell data from what programs leave in caches; the plan does, because the user decides what is noise.
_LARGEST = 1000
_DELETED = 2


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
        "volumes": documents("volumes", "Name", docker.get("/volumes")["Volumes"] or []),
        "changes": {**_only(before, "changes", kept), **_changes(docker, fresh)},
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
        found = _each(missing, lambda item: docker.get(_container(item), timeout=_WALK_SECONDS, size=1))
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


def _changes(docker: Docker, containers: list[Json]) -> Json:
    """The writable layers: ``{container ID: {size, largest}}``, size in bytes.

    ``made_workdir`` is there, and true, where the working directory is in that layer and perhaps nowhere else.
    ``layers`` are all folders of the container's file system, the upper one first, where only its mount says them.
    """
    large = {item["Id"]: item for item in containers if (item.get("SizeRw") or 0) > _WRITABLE_BYTES}

    def read(identity: str) -> Json:
        path = "/containers/{0}/changes".format(part(identity))
        changed = docker.get(path, timeout=_WALK_SECONDS) or []
        return {"Id": identity, "largest": largest(changed, _upper_dir(large[identity]))}

    biggest = {item["Id"]: item["largest"] for item in _each(list(large), read)}
    return {
        item["Id"]: {
            "size": item.get("SizeRw") or 0,
            "largest": biggest.get(item["Id"], []),
            **({"made_workdir": True} if _has_workdir(item) else {}),
            **({"layers": _mounted(item)} if _mounted(item) and not _told_upper_dir(item) else {}),
        }
        for item in containers
    }


def _has_workdir(container: Json) -> bool:
    folder, upper = str(container["Config"].get("WorkingDir") or ""), _upper_dir(container)
    return bool(upper) and folder.startswith("/") and ".." not in folder.split("/") and os.path.isdir(upper + folder)


def _upper_dir(container: Json) -> str:
    """Where overlayfs keeps the writable layer; "" with other drivers, and with the containerd image store while the
    container does not run: then only its mount says so."""
    return _told_upper_dir(container) or next(iter(_mounted(container)), "")


def _told_upper_dir(container: Json) -> str:
    return str(((container.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir") or "")


def _mounted(container: Json) -> list[str]:
    pid = container["State"].get("Pid")
    return mounted_layers(Path("/proc", str(pid), "mountinfo")) if pid else []


def mounted_layers(mounts: Path) -> list[str]:
    """The folders of the overlay that is a process' root, the upper one first; none when it is no writable overlay."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    for line in lines:
        fields, _dash, rest = line.partition(" - ")
        if fields.split()[4] == "/" and rest.startswith("overlay "):
            options = [option.partition("=") for option in rest.split()[2].split(",")]
            upper = [value for key, _equals, value in options if key == "upperdir"]
            # One by one (lowerdir+) with the system calls of Linux 6.5.
            lower = [value for key, _equals, value in options if key in ("lowerdir", "lowerdir+")]
            return upper and [*upper, *":".join(lower).split(":")]
    return []


def largest(changed: list[Json], folder: str) -> list[Json]:
    """The largest files of a writable layer: ``[{path, bytes}]``; without ``bytes`` where ``folder`` is not known.

    Of what is not among them there is the sum for each folder, whose path ends in a slash.
    """
    paths = [str(item["Path"]) for item in changed if item["Kind"] != _DELETED]
    if not folder:
        return [{"path": path} for path in paths[:_LARGEST]]
    sizes = sorted(((_file_size(folder + path), path) for path in paths if ".." not in path.split("/")), reverse=True)
    rest: dict[str, int] = {}
    for size, path in sizes[_LARGEST:]:
        place = os.path.join(os.path.dirname(path), "")
        rest[place] = rest.get(place, 0) + size
    sums = heapq.nlargest(_LARGEST, ((size, place) for place, size in rest.items()))
    return [{"path": path, "bytes": size} for size, path in [*sizes[:_LARGEST], *sums] if size]


def _file_size(path: str) -> int:
    try:
        found = os.lstat(path)
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


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
