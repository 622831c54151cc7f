# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of this thread's own mount namespace, by the C library (private to the collection).

Not by the programs mount and unshare: those would act in a process of their own.
"""

from __future__ import annotations

import ctypes
import os
import re
from typing import Any

# sys/mount.h and sched.h
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT = 1, 2, 4, 8, 32
BIND, REC, PRIVATE = 4096, 16384, 1 << 18
# linux/mount.h, Linux 5.10: no link in it is followed. Older kernels pass over it.
NOSYMFOLLOW = 256
_CLONE_NEWNS = 0x20000
_DETACH = 2
_ESCAPED = re.compile(r"\\([0-7]{3})")


def leave_the_others() -> None:
    """Give this thread a copy of its mounts, and a root and a working folder of its own (unshare(2)): from now on what it
    mounts is seen by nobody else, and what others mount not by it. Raises OSError."""
    _call("unshare", _CLONE_NEWNS)
    mount("none", "/", "", REC | PRIVATE)


def mount(source: str, point: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2). Raises OSError."""
    names = [os.fsencode(text) for text in (source, point, kind)]
    _call("mount", *names, ctypes.c_ulong(flags), os.fsencode(options), about=point)


def bind(handle: int, point: str, flags: int) -> None:
    """Mount what a descriptor stands for, with all that is mounted in it, and give each of these mounts these flags. Raises
    OSError."""
    mount("/proc/self/fd/{0}".format(handle), point, "", BIND | REC)
    for inner, is_read_only in _below(point):
        mount("none", inner, "", BIND | REMOUNT | flags | (RDONLY if is_read_only else 0))


def detach(point: str) -> None:
    """Unmount it, also while it is in use. Raises OSError."""
    _call("umount2", os.fsencode(point), _DETACH, about=point)


def move_root(root: str) -> None:
    """Make a mount the root of this thread, and have nothing of the old one left (pivot_root(2)). Raises OSError."""
    os.chdir(root)
    _call("pivot_root", b".", b".", about=root)
    detach(".")
    os.chdir("/")


def _below(point: str) -> list[tuple[str, bool]]:
    """Where something is mounted, on a place and below it, and whether it is read-only."""
    # /proc/self is the process, whose mounts are others.
    with open("/proc/thread-self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        rows = [line.split(" ") for line in table]
    found = [(_ESCAPED.sub(lambda code: chr(int(code.group(1), 8)), row[4]), "ro" in row[5].split(",")) for row in rows]
    return [item for item in found if item[0] == point or item[0].startswith(point + "/")]


def _call(name: str, *given: Any, about: str = "") -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*given) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), about or name)
