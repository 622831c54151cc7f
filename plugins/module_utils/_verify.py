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
from pathlib import Path
from typing import Iterator, NamedTuple

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._remembered import Remembered

_CHUNK = 1024 * 1024
_SHOWN = 5
# It belongs to the target's policy.
_FOREIGN = ("security.selinux",)
# What opening or looking says of a path that became something else.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENODATA)
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
    memory: Path | None,
    *,
    since: int | None = None,
    known_as: str = "",
) -> Verdict:
    """Compare the metadata of two trees, and their contents when there is a file to remember them in (``memory``).

    ``since`` (ns) is when a copy began that the source was written to meanwhile: a file written since then is never
    remembered, and its copy gets another mtime, so that the next copy takes it again whatever its own mtime says. It
    can be written, copied and written again with the same mtime: within one tick of the kernel's clock, or any time
    later through a mapped page that stayed dirty. Its ctime says that it was written at all. ``known_as`` is what the
    source is remembered by when its path is another one each time.
    """
    walk = _Walk(os.fsencode(source), os.fsencode(destination), since)
    if memory is None:
        return walk.run(None)
    with Remembered(memory, known_as or source, destination) as remembered:
        return walk.run(remembered)


class _Walk:
    """One walk over both trees."""

    def __init__(self, source: bytes, destination: bytes, since: int | None) -> None:
        self._source, self._destination = source, destination
        self._since = since
        self._inodes: dict[tuple[int, int], tuple[int, int]] = {}
        self._originals: dict[tuple[int, int], tuple[int, int]] = {}
        self._entries = self._read = self._different = 0
        self._shown: list[str] = []

    def run(self, remembered: Remembered | None) -> Verdict:
        for path, ours, theirs in pairs(self._source, self._destination):
            self._entries += 1
            try:
                wrong = self._look(path, ours, theirs, remembered)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
                wrong = "it changed meanwhile"
            if wrong:
                self._different += 1
                if len(self._shown) < _SHOWN:
                    self._shown.append("{0}: {1}".format(path.decode(errors="backslashreplace") or ".", wrong))
        return Verdict(self._entries, self._read, self._different, self._shown)

    def _look(
        self, path: bytes, ours: os.stat_result | None, theirs: os.stat_result | None, remembered: Remembered | None
    ) -> str:
        """What differs about one entry; "" when nothing does."""
        a, b = os.path.join(self._source, path), os.path.join(self._destination, path)
        if ours is None or theirs is None:
            return "it is missing in the copy" if theirs is None else "it is only in the copy"
        if not (stat.S_ISREG(ours.st_mode) and stat.S_ISREG(theirs.st_mode)):
            return _difference(ours, theirs, a, b) or self._link(ours, theirs)
        if self._since is not None and ours.st_ctime_ns >= self._since:
            _distrust(b, theirs)
            return ""
        wrong = _difference(ours, theirs, a, b) or self._link(ours, theirs)
        if wrong or remembered is None:
            return wrong
        keys = _keys(ours, theirs)
        if not remembered.has(path, keys):
            if not self._equal(a, b):
                if self._since is not None:
                    _distrust(b, theirs)
                return "its contents differ"
            if _keys(os.lstat(a), os.lstat(b)) != keys:
                return "it changed meanwhile"
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
                left, right = a.read(_CHUNK) or b"", b.read(_CHUNK) or b""
                self._read += len(left)
                if left != right:
                    return False
                if not left:
                    return True


def pairs(source: bytes, destination: bytes) -> Iterator[tuple[bytes, os.stat_result | None, os.stat_result | None]]:
    """Every entry of either tree and what both have there, depth first, names in the order of their bytes."""
    waiting = [iter([b""])]
    while waiting:
        path = next(waiting[-1], None)
        if path is None:
            waiting.pop()
            continue
        ours, theirs = _lstat(os.path.join(source, path)), _lstat(os.path.join(destination, path))
        yield path, ours, theirs
        folders = [
            os.path.join(tree, path)
            for tree, found in ((source, ours), (destination, theirs))
            if found is not None and stat.S_ISDIR(found.st_mode)
        ]
        if len(folders) == 2:
            waiting.append(iter([os.path.join(path, name) for name in _names(folders)]))


def _names(folders: list[bytes]) -> list[bytes]:
    found: set[bytes] = set()
    for folder in folders:
        try:
            found.update(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return sorted(found)


def _distrust(copy: bytes, found: os.stat_result) -> None:
    """Give a copy another time than its original has."""
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns + 10**9), follow_symlinks=False)


def _lstat(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _difference(ours: os.stat_result, theirs: os.stat_result, a: bytes, b: bytes) -> str:
    """What of the metadata differs, in words; "" when nothing does."""
    for what, left, right in (
        ("type or mode", ours.st_mode, theirs.st_mode),
        ("owner", ours.st_uid, theirs.st_uid),
        ("group", ours.st_gid, theirs.st_gid),
        ("device", ours.st_rdev, theirs.st_rdev),
        ("time of change", ours.st_mtime_ns, theirs.st_mtime_ns),
    ):
        if left != right:
            return "its {0} differs".format(what)
    if stat.S_ISREG(ours.st_mode) and ours.st_size != theirs.st_size:
        return "its size differs"
    if stat.S_ISLNK(ours.st_mode) and os.readlink(a) != os.readlink(b):
        return "it points elsewhere"
    return "" if _attributes(a) == _attributes(b) else "its extended attributes or ACLs differ"


def _attributes(path: bytes) -> dict[str, bytes]:
    try:
        names = [name for name in os.listxattr(path, follow_symlinks=False) if name not in _FOREIGN]
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return {}
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def _keys(ours: os.stat_result, theirs: os.stat_result) -> bytes:
    """What has to be as it was for a pair of files to be known."""
    numbers = [
        number
        for found in (ours, theirs)
        for number in (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    ]
    return b",".join(b"%d" % number for number in numbers)
