# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of two trees were read and found equal, in the order of a walk (private to the collection).

The list of the last walk is read beside the trees while that of the next one is written: none is ever in memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from .._common.errors import named
from .._state.records import boot_id

_FORMAT = b"1"


class Remembered:
    """A file that remembers, with one line for each pair of files; use it as a context.

    A walk that raises leaves the list as it was.
    """

    def __init__(self, path: Path, source: str, destination: str) -> None:
        self._path = path
        # What was read before the host started anew may not have reached the disk: another boot, another list.
        boot = boot_id().encode()
        trees = [os.fsencode(source), os.fsencode(destination)]
        self._heading = _escaped(b"\0".join([_FORMAT, boot, *trees])) + b"\n"
        self._at = b""
        self._keys = b""

    def __enter__(self) -> Remembered:
        self._old: BinaryIO | None = None
        if self._path.exists():
            self._old = self._path.open("rb")
            if self._old.readline() != self._heading:
                self._end()
        # Names of files are nobody's business.
        self._new = os.fdopen(
            os.open(str(self._part()), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
        )
        self._new.write(self._heading)
        return self

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        self._end()
        is_whole = False
        try:
            with named(self._path):
                self._new.close()
            is_whole = kind is None
        finally:
            if is_whole:
                os.replace(str(self._part()), str(self._path))
            else:
                self._part().unlink()

    def has(self, path: bytes, keys: bytes) -> bool:
        """Whether this file was found equal in just this state; paths come in the order of the walk."""
        while self._old and self._at != path and self._at.split(b"/") < path.split(b"/"):
            line = self._old.readline()
            if not line.endswith(b"\n"):
                self._end()
                break
            self._keys, _blank, name = line[:-1].partition(b" ")
            self._at = _unescaped(name)
        return self._at == path and self._keys == keys

    def add(self, path: bytes, keys: bytes) -> None:
        """Remember a file in this state."""
        with named(self._path):
            self._new.write(keys + b" " + _escaped(path) + b"\n")

    def _part(self) -> Path:
        return self._path.with_suffix(".part")

    def _end(self) -> None:
        if self._old:
            self._old.close()
        self._old = None


def _escaped(path: bytes) -> bytes:
    return path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


def _unescaped(path: bytes) -> bytes:
    if b"\\" not in path:
        return path
    return b"\\".join(part.replace(b"\\n", b"\n") for part in path.split(b"\\\\"))
