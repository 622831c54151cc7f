# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether copies have room (private to the collection)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Sequence

_MB = 10**6


class Place(NamedTuple):
    """Room on one file system: bytes needed below ``folder``, bytes free, and which device it is."""

    folder: str
    need: int
    free: int
    device: int


def place(folder: str, need: int) -> Place:
    """What a folder has, also one that is still to be made; ``need`` in bytes."""
    existing = Path(folder)
    while not existing.exists():
        existing = existing.parent
    space = os.statvfs(str(existing))
    return Place(folder, need, space.f_bavail * space.f_frsize, existing.stat().st_dev)


def short(what: str, places: Sequence[Place], remedy: str) -> str:
    """The sentence about a file system without enough room, or nothing. Folders on one device share its room."""
    for device in dict.fromkeys(item.device for item in places):
        here = [item for item in places if item.device == device and item.need]
        need = sum(item.need for item in here)
        if here and need > here[0].free:
            return "{0} needs {1} MB below {2}, but only {3} MB are free there; {4}.".format(
                what,
                -(-need // _MB),
                " and ".join(dict.fromkeys(item.folder for item in here)),
                here[0].free // _MB,
                remedy,
            )
    return ""
