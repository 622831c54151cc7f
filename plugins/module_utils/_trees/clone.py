# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first copy of a tree by cloning its files, where the file system can (private to the collection).

A clone shares its contents with the original until either is written to. Only plain files with their contents and times
are brought, while the application runs; rsync comes after it and does all the rest, and whatever was left out.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Callable, NamedTuple

from . import beneath

# linux/fs.h. Where an architecture has another number, the kernel does not know this one, and nothing is cloned.
_FICLONE = 0x40049409
# Each level holds two open folders.
_DEEPEST = 64
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_DIRECTORY
# What is said of one file or folder: that it is something else by now, or cannot be cloned as it is (swap, no
# copy-on-write, immutable). Anything else is said of the file system.
_ONE_ONLY = (
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.EEXIST,
    errno.EINVAL, errno.ETXTBSY, errno.EPERM, errno.EACCES, errno.EAGAIN,
)  # fmt: skip


class Cloned(NamedTuple):
    """How many files were cloned, and their size in bytes."""

    files: int
    bytes: int


def fill(source: str, destination: str, progress: Callable[[int], None]) -> Cloned:
    """Clone the files of ``source`` into the empty folder ``destination``, as far as the file system can.

    Never leaves ``source`` by a link or a mount, whatever the application does meanwhile. No error: rsync will say it.
    """
    walk = _Walk(progress)
    try:
        ours = os.open(source, _FOLDER)
        try:
            theirs = os.open(destination, _FOLDER)
            try:
                walk.device = os.fstat(ours).st_dev
                walk.folder(ours, theirs, 0)
            finally:
                os.close(theirs)
        finally:
            os.close(ours)
    except OSError:
        pass
    return Cloned(walk.files, walk.bytes)


def can(source: str, path: bytes, folder: str) -> bool:
    """Whether the file at ``path`` in ``source`` can be cloned into a folder, also one that is still to be made. Leaves
    nothing behind."""
    existing = Path(folder)
    while not existing.is_dir():
        existing = existing.parent
    try:
        ours = _reading(source, path)
        try:
            theirs = os.open(str(existing), os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                _clone(ours, theirs)
            finally:
                os.close(theirs)
        finally:
            os.close(ours)
    except OSError:
        return False
    return True


def _reading(source: str, path: bytes) -> int:
    top = os.open(source, _FOLDER)
    try:
        return beneath.reading(top, path)
    finally:
        os.close(top)


def _clone(ours: int, theirs: int) -> None:
    fcntl.ioctl(theirs, _FICLONE, ours)


class _Walk:
    """One walk over a tree by open folders: the names on the way can be exchanged for links at any time."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self.device = 0
        self.files = self.bytes = 0
        self._progress = progress
        self._seen: set[int] = set()

    def folder(self, source: int, destination: int, depth: int) -> None:
        for name in os.listdir(source):
            try:
                mode = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode) and depth < _DEEPEST:
                    self._below(name, source, destination, depth)
                elif stat.S_ISREG(mode):
                    self._file(name, source, destination)
            except OSError as error:
                if error.errno not in _ONE_ONLY:
                    raise

    def _below(self, name: str, source: int, destination: int, depth: int) -> None:
        ours = os.open(name, _FOLDER, dir_fd=source)
        try:
            if os.fstat(ours).st_dev != self.device:
                return
            os.mkdir(name, 0o700, dir_fd=destination)
            theirs = os.open(name, _FOLDER, dir_fd=destination)
            try:
                self.folder(ours, theirs, depth + 1)
            finally:
                os.close(theirs)
        finally:
            os.close(ours)

    def _file(self, name: str, source: int, destination: int) -> None:
        ours = beneath.reading(source, os.fsencode(name))
        try:
            found = os.fstat(ours)
            # Of a file's names the first is enough: rsync makes the others. An empty one has nothing to share.
            if found.st_dev != self.device or not found.st_size:
                return
            if found.st_nlink > 1 and found.st_ino in self._seen:
                return
            self._create(name, ours, found, destination)
            self._seen.update([found.st_ino] if found.st_nlink > 1 else [])
            self.files += 1
            self.bytes += found.st_size
            self._progress(found.st_size)
        finally:
            os.close(ours)

    def _create(self, name: str, ours: int, found: os.stat_result, destination: int) -> None:
        theirs = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=destination)
        try:
            _clone(ours, theirs)
            # The time of before: what was written since then gives the original another one, and rsync sees that.
            os.utime(theirs, ns=(found.st_atime_ns, found.st_mtime_ns))
        except OSError:
            os.unlink(name, dir_fd=destination)
            raise
        finally:
            os.close(theirs)
