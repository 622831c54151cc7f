# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in bind mounts that name the address of Docker's name server, as configurations of nginx and HAProxy do (private to the
collection).

A container may change what is looked at; nothing is read but regular files below the mount, no more than a configuration has,
and only their paths are told.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Iterator

from .._trees import beneath

_ADDRESS = re.compile(rb"(?<![0-9.])127\.0\.0\.11(?![0-9])")
# Entries of a mount that are looked at, the largest file, and how many files are named.
_ENTRIES, _SIZE, _NAMED = 500, 256 * 1024, 10


def look(source: str) -> list[str]:
    """The paths, at most ten, of such files at the source of a bind mount or below it."""
    found: list[str] = []
    with suppress(OSError):
        folder, name = (source, "") if os.path.isdir(source) else os.path.split(source)
        top = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for path in _entries(top, os.fsencode(name)):
                if len(found) < _NAMED and _names_it(top, path):
                    found.append(os.path.join(folder, os.fsdecode(path)))
        finally:
            os.close(top)
    return [path for path in found if path.isprintable()]


def _entries(top: int, name: bytes) -> Iterator[bytes]:
    """A file, or what is below a folder, the nearest first."""
    if name:
        yield name
        return
    waiting, left = [b""], _ENTRIES
    while waiting:
        path = waiting.pop(0)
        with suppress(OSError):
            names = _listed(top, path)[:left]
            left -= len(names)
            for inner in names:
                waiting.append(path + b"/" + inner if path else inner)
        if path:
            yield path


def _listed(top: int, path: bytes) -> list[bytes]:
    folder = beneath.look(top, path, beneath.FOLDER)
    try:
        return sorted(os.fsencode(name) for name in os.listdir("/proc/self/fd/{0}".format(folder)))
    finally:
        os.close(folder)


def _names_it(top: int, path: bytes) -> bool:
    try:
        with os.fdopen(beneath.reading(top, path), "rb") as stream:
            text = stream.read(_SIZE + 1)
    except OSError:
        return False
    return len(text) <= _SIZE and b"\0" not in text and bool(_ADDRESS.search(text))
