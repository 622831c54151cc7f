# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two trees are the same, without reading again what was read before (private to the collection).

A file whose contents were found equal is remembered with inode, size, mtime and ctime of both copies. Contents are
compared, not hashed: that reads both copies once, too, and has no collisions.
"""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from typing import Callable, NamedTuple

from .compare_cache import Remembered
from .metadata import difference
from .walk import GONE, pairs

_CHUNK = 1024 * 1024
_SHOWN = 5
# What is said of a name that became something else, by whoever takes it for a file or a link. Devices may not be opened.
_CHANGED = (*GONE, errno.EISDIR, errno.ENXIO, errno.ENODATA, errno.ESPIPE, errno.EINVAL, errno.EACCES)
# Contents are never read through what became a link or a pipe meanwhile.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Verdict(NamedTuple):
    """Entries walked, bytes read of each copy, how many entries differ, and the first of them: ``path: what``."""

    entries: int
    read: int
    different: int
    shown: list[str]


def compare(
    source: str,
    destination: str,
    remembered: Remembered | None,
    *,
    since: int | None = None,
    progress: Callable[[int], None] = lambda _count: None,
) -> Verdict:
    """Compare the metadata of two trees, and their contents when those that are equal can be ``remembered``.

    ``since`` (ns) is when a copy began that the source was written to meanwhile: a file written since then is never
    remembered, and its copy gets another mtime, so that the next copy takes it again whatever its own mtime says. It
    can be written, copied and written again with the same mtime: within one tick of the kernel's clock, or any time
    later through a mapped page that stayed dirty. Its ctime says that it was written at all. ``progress`` gets the
    bytes of the source that the walk has behind it.
    """
    return _Walk(os.fsencode(source), os.fsencode(destination), since, progress).run(remembered)


class _Walk:
    """One walk over both trees."""

    def __init__(self, source: bytes, destination: bytes, since: int | None, progress: Callable[[int], None]) -> None:
        self._source, self._destination = source, destination
        # Below a mount point inside of a tree nothing is synced for us, and inode numbers repeat: never remembered.
        self._devices = (os.stat(source).st_dev, os.stat(destination).st_dev)
        self._since = since
        self._progress = progress
        self._inodes: dict[tuple[int, int], tuple[int, int]] = {}
        self._originals: dict[tuple[int, int], tuple[int, int]] = {}
        self._entries = self._read = self._different = 0
        self._shown: list[str] = []

    def run(self, remembered: Remembered | None) -> Verdict:
        for path, ours, theirs in pairs(self._source, self._destination):
            self._entries += 1
            before = self._read
            try:
                wrong = self._look(path, ours, theirs, remembered)
            except OSError as error:
                if error.errno not in _CHANGED:
                    raise
                wrong = "it changed meanwhile" if error.errno != errno.EACCES else "it cannot be read"
            if ours and stat.S_ISREG(ours.st_mode):
                self._progress(max(0, ours.st_size - (self._read - before)))
            if wrong:
                self._different += 1
                if len(self._shown) < _SHOWN:
                    self._shown.append("{0}: {1}".format(path.decode(errors="backslashreplace") or ".", wrong))
        return Verdict(self._entries, self._read, self._different, self._shown)

    def _look(
        self, path: bytes, ours: os.stat_result | None, theirs: os.stat_result | None, remembered: Remembered | None
    ) -> str:
        """What differs about one entry; "" when nothing does."""
        a, b = self._source + b"/" + path, self._destination + b"/" + path
        if ours is None or theirs is None:
            return "it is missing in the copy" if theirs is None else "it is only in the copy"
        if not (stat.S_ISREG(ours.st_mode) and stat.S_ISREG(theirs.st_mode)):
            return difference(ours, theirs, a, b) or self._link(ours, theirs)
        if self._since is not None and ours.st_ctime_ns >= self._since:
            _distrust(b, theirs)
            return ""
        keys, is_synced = _keys(ours, theirs), (ours.st_dev, theirs.st_dev) == self._devices
        # What was found equal and has the same times of change since has the same metadata too.
        is_known = remembered is not None and is_synced and remembered.has(path, keys)
        wrong = self._link(ours, theirs) or ("" if is_known else difference(ours, theirs, a, b))
        if wrong or remembered is None:
            return wrong
        if not is_known:
            if not self._equal(a, b):
                if self._since is not None:
                    _distrust(b, theirs)
                return "its contents differ"
            if _keys(os.lstat(a), os.lstat(b)) != keys:
                return "it changed meanwhile"
        if is_synced:
            remembered.add(path, keys)
        return ""

    def _link(self, ours: os.stat_result, theirs: os.stat_result) -> str:
        """Names of one file are names of one file on the other side too."""
        if stat.S_ISDIR(ours.st_mode) or max(ours.st_nlink, theirs.st_nlink) == 1:
            return ""
        # Not how many there are: a name outside of the volume is none of ours.
        one, other = (ours.st_dev, ours.st_ino), (theirs.st_dev, theirs.st_ino)
        is_same = self._inodes.setdefault(one, other) == other and self._originals.setdefault(other, one) == one
        return "" if is_same else "its hard links differ"

    def _equal(self, ours: bytes, theirs: bytes) -> bool:
        with open(os.open(ours, _READ), "rb", 0) as a, open(os.open(theirs, _READ), "rb", 0) as b:
            while True:
                _skip_holes(a, b)
                left, right = _chunk(a, ours), _chunk(b, theirs)
                self._read += len(left)
                self._progress(len(left))
                if left != right:
                    return False
                if not left:
                    return True


def _skip_holes(*files: FileIO) -> None:
    """Go on to where any of them has data, and leave out what is a hole in all (lseek(2))."""
    at = files[0].tell()
    there = min(_data(file.fileno(), at) for file in files)
    for file in files:
        file.seek(there)


def _data(file: int, at: int) -> int:
    try:
        return os.lseek(file, at, os.SEEK_DATA)
    except OSError as error:
        # No more data; or a file system that does not know.
        return os.lseek(file, 0, os.SEEK_END) if error.errno == errno.ENXIO else at


def _chunk(stream: FileIO, path: bytes) -> bytes:
    try:
        return stream.read(_CHUNK) or b""
    except OSError as error:
        error.filename = path
        raise


def _distrust(copy: bytes, found: os.stat_result) -> None:
    """Give a copy another time than its original has."""
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns + 10**9), follow_symlinks=False)


def _keys(ours: os.stat_result, theirs: os.stat_result) -> bytes:
    """What has to be as it was for a pair of files to be known."""
    return b"%d,%d,%d,%d,%d,%d,%d,%d" % (
        ours.st_ino,
        ours.st_size,
        ours.st_mtime_ns,
        ours.st_ctime_ns,
        theirs.st_ino,
        theirs.st_size,
        theirs.st_mtime_ns,
        theirs.st_ctime_ns,
    )
