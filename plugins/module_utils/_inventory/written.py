# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written into containers themselves: their writable layers (private to the collection).

Docker keeps no origin of a file. What came from outside (``docker cp``, Compose's ``configs: content`` and ``secrets:
environment``) is told by its times: the container did not run then. Of what the container has changed since, Compose tells.
"""

from __future__ import annotations

import heapq
import os
import stat
from calendar import timegm
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import strptime
from typing import Iterator, NamedTuple

from .._common.json import Json
from .._docker.api import Docker, DockerNotFound, part
from .._trees import beneath
from . import compose_files

_AT_ONCE = 8
# Docker walks the writable layer to answer; on a slow disk with millions of files that takes minutes.
WALK_SECONDS = 900
# Enough to tell data from what programs leave in caches; the plan does, because the user decides what is noise.
_LARGEST = 1000
_DELETED = 2
# An application makes no deeper folders, a hostile one does: each takes a file descriptor.
_DEPTH = 64
# Where nothing tells when a container was started first. Seconds after its creation.
_FIRST_START = 3.0
_SECRETS = "/run/secrets/"
_KINDS = {stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFDIR: "folder"}


class Entry(NamedTuple):
    """Something in a writable layer; ``path`` as the container sees it."""

    path: str
    found: os.stat_result

    @property
    def is_removal(self) -> bool:
        """overlayfs marks what was removed by such a device."""
        return stat.S_ISCHR(self.found.st_mode) and self.found.st_rdev == 0


def changes(docker: Docker, containers: list[Json], data_root: str) -> Json:
    """The writable layers: ``{container ID: {size, largest, put, removed}}``, size in bytes.

    ``largest``: ``[{path, bytes}]``; ``put``: what came from outside, ``[{path, type, uid, gid, mode, size, mtime, ctime}]``,
    with ``changed`` where the container has written it since; ``removed``: paths of the image. ``made_workdir`` is there,
    and true, where the working directory is in that layer and perhaps nowhere else. ``layers`` are all folders of the
    container's file system, the upper one first, where only its mount says them.
    """
    targets = compose_files.targets(containers)

    def read(container: Json) -> Json:
        # Without a driver that says it, only the mount of a running container does: the containerd image store.
        told = str(((container.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir") or "")
        mounted = [] if told else _mounted(container)
        upper = told or next(iter(mounted), "")
        return {
            "size": container.get("SizeRw") or 0,
            **(_walked(container, upper, data_root, targets[container["Id"]]) if upper else _asked(docker, container)),
            **({"made_workdir": True} if _has_workdir(container, upper) else {}),
            **({"layers": mounted} if mounted else {}),
        }

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip((item["Id"] for item in containers), pool.map(read, containers)))


def _walked(container: Json, upper: str, data_root: str, targets: frozenset[str]) -> Json:
    entries = list(walk(upper))
    files = [entry for entry in entries if not stat.S_ISDIR(entry.found.st_mode)]
    spans = _idle_spans(container, Path(data_root, "containers", str(container["Id"])))
    return {
        "largest": largest([(entry.path, _size(entry)) for entry in files if not entry.is_removal]),
        "put": [
            {**_described(entry), **({} if _was_idle(entry, spans) else {"changed": True})}
            for entry in files
            if not entry.is_removal and _was_put(entry, spans, targets)
        ][:_LARGEST],
        "removed": sorted(entry.path for entry in entries if entry.is_removal)[:_LARGEST],
    }


def _asked(docker: Docker, container: Json) -> Json:
    """What Docker says, where nobody says in which folder it keeps the layer: no sizes and no times."""
    try:
        answer = docker.get("/containers/{0}/changes".format(part(container["Id"])), timeout=WALK_SECONDS) or []
    except DockerNotFound:
        answer = []
    paths: dict[bool, list[str]] = {True: [], False: []}
    for item in answer:
        paths[item["Kind"] == _DELETED].append(str(item["Path"]))
    folders = {os.path.dirname(path) for path in paths[False]}
    files = [path for path in paths[False] if path not in folders]
    return {"largest": [{"path": path} for path in files[:_LARGEST]], "put": [], "removed": paths[True][:_LARGEST]}


def walk(upper: str) -> Iterator[Entry]:
    """All that lies in a layer. No link is followed, whatever the container does meanwhile; what vanishes is left out."""
    try:
        root = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    yield from _below(root, "", 0)


def _below(folder: int, path: str, depth: int) -> Iterator[Entry]:
    try:
        for name in sorted(os.listdir(folder)):
            try:
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                entry = Entry("{0}/{1}".format(path, name), found)
                yield entry
                if stat.S_ISDIR(found.st_mode) and depth < _DEPTH:
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                    yield from _below(os.open(name, flags, dir_fd=folder), entry.path, depth + 1)
            except OSError:
                continue
    finally:
        os.close(folder)


def _described(entry: Entry) -> Json:
    return {
        "path": entry.path,
        "type": _KINDS.get(stat.S_IFMT(entry.found.st_mode), "other"),
        "uid": entry.found.st_uid,
        "gid": entry.found.st_gid,
        "mode": stat.S_IMODE(entry.found.st_mode),
        "size": _size(entry),
        "mtime": entry.found.st_mtime,
        "ctime": entry.found.st_ctime,
    }


def _size(entry: Entry) -> int:
    return entry.found.st_size if stat.S_ISREG(entry.found.st_mode) else 0


def _was_put(entry: Entry, spans: list[tuple[float, float]], targets: frozenset[str]) -> bool:
    """``targets``: paths that Compose puts files at; what else lies there now is the container's."""
    is_target = entry.path in targets and stat.S_ISREG(entry.found.st_mode)
    return entry.path.startswith(_SECRETS) or is_target or _was_idle(entry, spans)


def _was_idle(entry: Entry, spans: list[tuple[float, float]]) -> bool:
    """Whether it is of a time in which the container did not run. By mtime too: an entry point that changes owners changes
    each ctime."""
    times = (entry.found.st_ctime, entry.found.st_mtime)
    return any(begin <= time <= end for begin, end in spans for time in times)


def _idle_spans(container: Json, folder: Path) -> list[tuple[float, float]]:
    """(begin, end), seconds of the epoch, in which the container did not run: before its first start, and before its last.

    Docker makes the folder ``mounts`` at the first start and writes ``hostname`` at each (tried on 26.1 and 28.5); its
    StartedAt comes when the program may have written already.
    """
    created, ended = (
        _seconds(container.get("Created")),
        _seconds((container.get("State") or {}).get("FinishedAt")),
    )
    first, last = _mtime(folder / "mounts"), _mtime(folder / "hostname")
    started = str((container.get("State") or {}).get("StartedAt") or "")
    if not _seconds(started):
        return [(created, float("inf"))]
    spans = [(created, first if first is not None else created + _FIRST_START)]
    if ended and last is not None:
        spans.append((ended, last if (container.get("State") or {}).get("Running") else float("inf")))
    return spans


def _mtime(path: Path) -> float | None:
    try:
        return os.lstat(str(path)).st_mtime
    except OSError:
        return None


def _seconds(stamp: object) -> float:
    """Docker's time, like 2026-11-22T04:14:13.453142609Z; 0 for none and for what is no time."""
    whole, _dot, fraction = str(stamp or "").partition(".")
    try:
        seconds = timegm(strptime(whole.rstrip("Z") + " UTC", "%Y-%m-%dT%H:%M:%S %Z"))
        return max(0.0, seconds + float("0." + (fraction.rstrip("Z") or "0")))
    except ValueError:
        return 0.0


def largest(sizes: list[tuple[str, int]]) -> list[Json]:
    """The largest of some files: ``[{path, bytes}]``.

    Of what is not among them there is the sum for each folder, whose path ends in a slash.
    """
    ordered = sorted(((size, path) for path, size in sizes), reverse=True)
    rest: dict[str, int] = {}
    for size, path in ordered[_LARGEST:]:
        place = os.path.join(os.path.dirname(path), "")
        rest[place] = rest.get(place, 0) + size
    sums = heapq.nlargest(_LARGEST, ((size, place) for place, size in rest.items()))
    return [{"path": path, "bytes": size} for size, path in [*ordered[:_LARGEST], *sums]]


def _has_workdir(container: Json, upper: str) -> bool:
    folder = str(container["Config"].get("WorkingDir") or "")
    try:
        return bool(upper) and folder.startswith("/") and stat.S_ISDIR(beneath.status(upper, folder).st_mode)
    except OSError:
        return False


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
