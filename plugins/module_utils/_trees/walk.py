# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of two trees side by side (private to the collection)."""

from __future__ import annotations

import errno
import os
import stat
from typing import Iterator

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What is said of a path when a part of it is no more, or is something else by now."""


def pairs(source: bytes, destination: bytes) -> Iterator[tuple[bytes, os.stat_result | None, os.stat_result | None]]:
    """Every entry of either tree and what both have there, depth first, names in the order of their bytes."""
    waiting = [iter([b""])]
    while waiting:
        path = next(waiting[-1], None)
        if path is None:
            waiting.pop()
            continue
        a, b = source + b"/" + path, destination + b"/" + path
        ours, theirs = _lstat(a), _lstat(b)
        yield path, ours, theirs
        if ours and theirs and stat.S_ISDIR(ours.st_mode) and stat.S_ISDIR(theirs.st_mode):
            before = path + b"/" if path else b""
            waiting.append(iter([before + name for name in _names([a, b])]))


def _names(folders: list[bytes]) -> list[bytes]:
    found: set[bytes] = set()
    for folder in folders:
        try:
            found.update(os.listdir(folder))
        except OSError as error:
            if error.errno not in GONE:
                raise
    return sorted(found)


def _lstat(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return None
