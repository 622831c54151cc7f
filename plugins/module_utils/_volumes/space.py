# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room for the copies of volumes (private to the collection)."""

from __future__ import annotations

import os
import stat
import time
from typing import Any, NamedTuple, Sequence

from .._common import disk_space
from .._podman import storage
from .._trees import clone
from .._trees.mount_namespace import Source, confined
from .._trees.walk import GONE
from . import locate
from .locate import VolumeError

# Disks serve two at once better than one; more only get in each other's way.
PARALLEL = 2
# A clone takes no room until its original changes: then the whole file is copied. Seconds.
_RECENT = 24 * 3600


class Sizes(NamedTuple):
    """Bytes of a volume's files, and about how many of them its copy lacks."""

    whole: int
    missing: int


class Extent(NamedTuple):
    """Bytes that a tree's files have, bytes that they take on the disk, those of the one that takes most, and the path of
    the longest regular file from there."""

    size: int = 0
    taken: int = 0
    largest: int = 0
    longest: bytes = b""


def require(
    plan: dict[str, Any], todo: Sequence[dict[str, Any]], held: dict[str, storage.Volume], root: str
) -> dict[str, Sizes]:
    """The sizes of the volumes that are copied. Raises VolumeError when there is no room for their copies.

    rsync writes a changed file beside its old copy. That goes for a volume without a copy, too: later rounds follow at
    once, and a disk that Docker's containers write to as well must not fill up in the middle of one.
    """
    sizes, need, largest = {}, 0, [0]
    for volume in filter(locate.is_copied, todo):
        copy = locate.destination_of(volume, held, root) if volume["name"] in held else ""
        theirs = measure(Source(copy)) if copy else Extent()
        source = locate.reading(plan, volume)
        ours = measure(source)
        is_cloned = _is_cloned(volume, source, ours, copy, root)
        written = measure(source, time.time() - _RECENT) if is_cloned else ours
        sizes[volume["name"]] = Sizes(ours.size, max(0, ours.size - theirs.size))
        need += max(0, written.taken - theirs.taken)
        largest.append(max(written.largest, theirs.largest))
    need += sum(sorted(largest)[-PARALLEL:])
    place = disk_space.place(root or storage.DEFAULT_GRAPH_ROOT, need)
    complaint = disk_space.short(
        "Copying the volumes",
        [place],
        "make room (a changed file is written beside its old copy), or move Podman's storage",
    )
    if complaint:
        raise VolumeError(complaint)
    return sizes


def _is_cloned(volume: dict[str, Any], source: Source, ours: Extent, copy: str, root: str) -> bool:
    """Whether the first round will clone, as far as one file can tell. ``copy`` is "" when there is none."""
    if volume["strategy"] == "persist" or (copy and os.listdir(copy)):
        return False
    return clone.can(source.folder, ours.longest, root or storage.DEFAULT_GRAPH_ROOT)


def measure(source: Source, since: float = 0) -> Extent:
    """What a tree takes, or what of it changed later than ``since`` (Unix time); each inode once. Raises TreeError."""
    with confined([source]) as within:
        return within.run(_measure, source.seen, since)


def _measure(folder: str, since: float) -> Extent:
    size, taken, largest, longest, seen = 0, 0, 0, (0, b""), set()
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in [*files, *folders]:
            path = os.path.join(place, name)
            try:
                found = os.lstat(path)
            except OSError as error:
                if error.errno not in GONE:
                    raise
                continue
            if found.st_ctime < since:
                continue
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            if stat.S_ISREG(found.st_mode):
                size += found.st_size
                longest = max(longest, (found.st_size, path))
            taken += found.st_blocks * 512
            largest = max(largest, found.st_blocks * 512)
    return Extent(size, taken, largest, longest[1] and os.path.relpath(longest[1], os.fsencode(folder)))
