# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's volumes into Podman's while Docker serves (private to the collection)."""

from __future__ import annotations

import os
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _adopted as adopted
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _clones, _tree
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _room as room
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _rounds as rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _volumes as volumes
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import EngineState
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._progress import Progress, size
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._staging import Ownership
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import VolumeError

# Disks serve two at once better than one; more only get in each other's way.
PARALLEL = 2
_PAUSE = 60.0
# A clone takes no room until its original changes: then the whole file is copied. Seconds.
_RECENT = 24 * 3600


class Patience(NamedTuple):
    """What is done about volumes that change so much that their final copy would take longer than ``max_downtime``
    seconds: ``when_longer`` is ``go``, ``stop``, or ``wait`` (for up to ``wait_for`` seconds, then stop)."""

    max_downtime: float
    when_longer: str
    wait_for: float


def transfer(
    plan: dict[str, Any],
    engine: EngineState,
    owners: Ownership,
    patience: Patience,
    progress: Progress,
    *,
    check: bool = False,
) -> list[dict[str, Any]]:
    """Create and fill the Podman volumes of Docker's workloads; those of committed workloads are never touched.

    Returns, for each volume: name, action (copied, unchanged, created, adopted, would-copy, would-create, would-adopt,
    skipped), rounds (each files, bytes, cloned, seconds). Raises VolumeError, TreeError, CommandError.
    """
    moved = volumes.distinct(volume for workload in owners.podman for volume in workload["volumes"])
    kept = {volume["name"] for volume in moved}
    todo = volumes.distinct(volume for workload in owners.docker for volume in workload["volumes"])
    todo = [volume for volume in todo if volume["name"] not in kept]
    held, root = _held(check)
    for volume in todo:
        volumes.admit(plan, volume, held, root)
    volumes.require_unused([volume["name"] for volume in todo if volume["name"] in held and volumes.is_copied(volume)])
    sizes = _require_room(plan, todo, held, root)
    skipped = [_result(volume, "skipped") for volume in moved]
    if check:
        return [_foresee(plan, volume, held, root) for volume in todo] + skipped
    done = [_result(volume, _prepare(plan, volume, held)) for volume in todo]
    progress.begin("volumes", sum(sizes.values()))
    for workload in owners.docker:
        mine = {**workload, "volumes": [volume for volume in workload["volumes"] if volume["name"] not in kept]}
        staged = _stage(plan, engine, mine, patience, progress)
        for result in done:
            if result["name"] in staged:
                result["rounds"] = [_round(stats) for stats in staged[result["name"]]]
                if result["action"] == "created" or any(stats.changes for stats in staged[result["name"]]):
                    result["action"] = "copied"
    return done + skipped


def _prepare(plan: dict[str, Any], volume: dict[str, Any], held: dict[str, podman.Volume]) -> str:
    """Make the volume, or the name of Docker's; returns what was done."""
    if volumes.is_adopted(volume):
        if adopted.is_linked(volume):
            return "unchanged"
        adopted.link(volume, plan["engine"]["data_root"])
        return "adopted"
    if volume["name"] in held:
        return "unchanged"
    volumes.create(volume)
    return "created"


def _held(check: bool) -> tuple[dict[str, podman.Volume], str]:
    """Podman's volumes, and where it keeps them; none while check mode finds it missing."""
    if check and not podman.installed():
        return {}, ""
    return podman.volumes(), podman.storage().volume_root


def _require_room(
    plan: dict[str, Any], todo: Sequence[dict[str, Any]], held: dict[str, podman.Volume], root: str
) -> dict[str, int]:
    """The bytes of each volume. Raises VolumeError when there is no room for their copies."""
    sizes, need = {}, 0
    for volume in todo:
        if volumes.is_copied(volume):
            measured = _measure(volumes.source_of(plan, volume))
            there = _measure(volumes.destination_of(volume, held, root)).blocks if volume["name"] in held else 0
            is_clone = not there and _clones.can(measured.largest, root or podman.DEFAULT_GRAPH_ROOT)
            need += measured.recent if is_clone else max(0, measured.blocks - there)
            sizes[volume["name"]] = measured.size
    place = room.place(root or podman.DEFAULT_GRAPH_ROOT, need)
    complaint = room.short("Copying the volumes", [place], "make room, or move Podman's storage")
    if complaint:
        raise VolumeError(complaint)
    return sizes


class _Measured(NamedTuple):
    """Bytes that a tree's files have, bytes that they take on the disk, how many of these belong to files that changed
    within the last day, and the largest file."""

    size: int
    blocks: int
    recent: int
    largest: bytes


def _measure(folder: str) -> _Measured:
    """Measure a tree; each inode once."""
    total, blocks, recent, largest, seen = 0, 0, 0, (0, b""), set()
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in [*files, *folders]:
            path = os.path.join(place, name)
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                continue
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if found.st_ino in seen:
                    continue
                seen.add(found.st_ino)
            if stat.S_ISREG(found.st_mode):
                total += found.st_size
                largest = max(largest, (found.st_size, path))
            blocks += found.st_blocks * 512
            recent += found.st_blocks * 512 if found.st_ctime > time.time() - _RECENT else 0
    return _Measured(total, blocks, recent, largest[1] if largest[0] else b"")


def _stage(
    plan: dict[str, Any], engine: EngineState, workload: dict[str, Any], patience: Patience, progress: Progress
) -> dict[str, list[_tree.TreeStats]]:
    """Copy a workload's volumes in rounds until one is short enough, and return the rounds of each."""
    found = volumes.trees(plan, engine, workload)
    done: dict[str, list[_tree.TreeStats]] = {trees.name: [] for trees in found}
    seconds: list[float] = []
    until = 0.0
    while found:
        began = time.monotonic()
        with ThreadPoolExecutor(PARALLEL) as pool:
            for trees, stats in zip(found, pool.map(lambda item: rounds.warm(item, progress.add), found)):
                done[trees.name].append(stats)
        seconds.append(time.monotonic() - began)
        # A round that clones says nothing of how long one takes that copies.
        telling = seconds[1:] if any(stats[0].cloned for stats in done.values()) else seconds
        if not telling or not rounds.is_settled(telling, patience.max_downtime):
            continue
        if seconds[-1] <= patience.max_downtime or patience.when_longer == "go":
            break
        until = until or time.monotonic() + patience.wait_for
        if patience.when_longer == "stop" or time.monotonic() + _PAUSE > until:
            raise VolumeError(_too_long(workload["name"], done, seconds, patience.max_downtime))
        time.sleep(_PAUSE)
    return done


def _too_long(
    workload: str, done: dict[str, list[_tree.TreeStats]], seconds: Sequence[float], max_downtime: float
) -> str:
    changed = sum(stats[-1].bytes for stats in done.values())
    return (
        "The volumes of {0} change so much that {0} would be down for about {1:.0f} s while they are brought up to date, "
        "more than {2:.0f} s: the last of {3} rounds copied {4}. Copying them cold took {5:.0f} s. Try at a quieter "
        "time, allow more (stage_max_downtime), or go on all the same (stage_when_longer: go). What was copied stays."
    ).format(workload, seconds[-1], max_downtime, len(seconds), size(changed), seconds[0])


def _foresee(plan: dict[str, Any], volume: dict[str, Any], held: dict[str, podman.Volume], root: str) -> dict[str, Any]:
    if volumes.is_adopted(volume):
        return _result(volume, "unchanged" if adopted.is_linked(volume) else "would-adopt")
    if volumes.only_defined(volume):
        return _result(volume, "unchanged" if volume["name"] in held else "would-create")
    if volume["name"] not in held or not shutil.which("rsync"):
        return _result(volume, "would-copy")
    source, destination = volumes.source_of(plan, volume), volumes.destination_of(volume, held, root)
    stats = _tree.copy(source, destination, live=True, dry_run=True)
    return _result(volume, "would-copy" if stats.changes else "unchanged")


def _round(stats: _tree.TreeStats) -> dict[str, Any]:
    return {
        "files": stats.files,
        "bytes": stats.bytes,
        "cloned": stats.cloned,
        "seconds": round(stats.seconds, 2),
    }


def _result(volume: dict[str, Any], action: str) -> dict[str, Any]:
    return {"name": volume["name"], "action": action, "rounds": []}
