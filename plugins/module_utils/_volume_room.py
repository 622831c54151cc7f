# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room for the copies of volumes (private to the collection)."""

from __future__ import annotations

import os
import stat
from typing import Any, NamedTuple, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _room as room
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _volumes as volumes
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import VolumeError

# Disks serve two at once better than one; more only get in each other's way.
PARALLEL = 2


class Sizes(NamedTuple):
    """Bytes of a volume's files, and about how many of them its copy lacks."""

    whole: int
    missing: int


class Extent(NamedTuple):
    """Bytes that a tree's files have, bytes that they take on the disk, and those of the largest one."""

    size: int
    taken: int
    largest: int


def require(
    plan: dict[str, Any], todo: Sequence[dict[str, Any]], held: dict[str, podman.Volume], root: str
) -> dict[str, Sizes]:
    """The sizes of the volumes that are copied. Raises VolumeError when there is no room for their copies.

    rsync writes a changed file beside its old copy. That goes for a volume without a copy, too: later rounds follow at
    once, and a disk that Docker's containers write to as well must not fill up in the middle of one.
    """
    sizes, need, largest = {}, 0, [0]
    for volume in todo:
        if not volumes.only_defined(volume):
            with volumes.reading(plan, volume) as source:
                ours, theirs = measure(source), Extent(0, 0, 0)
            if volume["name"] in held:
                theirs = measure(volumes.destination_of(volume, held, root))
            sizes[volume["name"]] = Sizes(ours.size, max(0, ours.size - theirs.size))
            need += max(0, ours.taken - theirs.taken)
            largest.append(max(ours.largest, theirs.largest))
    need += sum(sorted(largest)[-PARALLEL:])
    place = room.place(root or podman.DEFAULT_GRAPH_ROOT, need)
    complaint = room.short(
        "Copying the volumes",
        [place],
        "make room (a changed file is written beside its old copy), or move Podman's storage",
    )
    if complaint:
        raise VolumeError(complaint)
    return sizes


def measure(folder: str) -> Extent:
    """What a tree takes; each inode once."""
    size, taken, largest, seen = 0, 0, 0, set()
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in [*files, *folders]:
            try:
                found = os.lstat(os.path.join(place, name))
            except FileNotFoundError:
                continue
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            size += found.st_size if stat.S_ISREG(found.st_mode) else 0
            taken += found.st_blocks * 512
            largest = max(largest, found.st_blocks * 512)
    return Extent(size, taken, largest)
