# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mounted where, from /proc/self/mountinfo (proc(5); private to the collection)."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from .._plan.model import is_below

_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mount: the device, the folder of its file system that is mounted, and where."""

    device: str
    folder: str
    point: str


def parse(mountinfo: str) -> list[Mount]:
    """All mounts, in their order."""
    rows = [line.split() for line in mountinfo.splitlines()]
    return [Mount(row[2], _plain(row[3]), _plain(row[4])) for row in rows if len(row) > 4]


def below(root: str, mounts: list[Mount]) -> list[str]:
    """Where something is mounted below a folder (not on it), deepest first."""
    points = [mount.point for mount in mounts if mount.point != root and is_below(mount.point, root)]
    return sorted(points, key=lambda point: -point.count("/"))


def elsewhere(root: str, mounts: list[Mount]) -> list[str]:
    """Where outside a folder it is mounted, or something of it: what is deleted in it is gone there, too."""
    holders = [mount for mount in mounts if is_below(root, mount.point)]
    if not holders:
        return []
    # Of mounts on the same place the last one is seen.
    holder = max(reversed(holders), key=lambda mount: len(mount.point))
    place = os.path.normpath(os.path.join(holder.folder, os.path.relpath(root, holder.point)))
    return [
        mount.point
        for mount in mounts
        if mount.device == holder.device and is_below(mount.folder, place) and not is_below(mount.point, root)
    ]


def _plain(path: str) -> str:
    return _ESCAPED.sub(lambda code: chr(int(code.group(1), 8)), path)
