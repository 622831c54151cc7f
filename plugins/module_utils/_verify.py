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
from typing import BinaryIO, Callable, Iterator, NamedTuple

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._remembered import Remembered

_CHUNK = 1024 * 1024
_SHOWN = 5
# It belongs to the target's policy.
_FOREIGN = ("security.selinux",)
# What opening or looking says of a path that became something else.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
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
    changed: BinaryIO,
    *,
    since: int | None = None,
    progress: Callable[[int], None] = lambda _count: None,
) -> Verdict:
    """Compare the metadata of two trees, and their contents when there is a file to remember them in (``memory``).

    The paths that differ are written to ``changed``, each with a NUL behind it, and the folders they are in, whose times
    change when they are copied; ``progress`` gets bytes read. ``since``
    (ns) says that the source is written to meanwhile, and when all that was written before had reached the disk: a file
    with a later ctime is not remembered, because a mapped page of it can change again and leave no trace.
    """
    walk = _Walk(os.fsencode(source), os.fsencode(destination), since, changed, progress)
    if memory is None:
        return walk.run(None)
    with Remembered(memory, source, destination) as remembered:
        return walk.run(remembered)


def compare_listed(source: str, destination: str, listed: Path, *, contents: bool) -> Verdict:
    """Compare the entries of a list that ``compare`` wrote."""
    ours, theirs = os.fsencode(source), os.fsencode(destination)
    with open(os.devnull, "wb") as nowhere:
        walk = _Walk(ours, theirs, None, nowhere, lambda _count: None)
        for path in paths(listed):
            walk.look(path, _lstat(os.path.join(ours, path)), _lstat(os.path.join(theirs, path)), None, contents)
    return walk.verdict()


def paths(listed: Path) -> Iterator[bytes]:
    """The paths of a list; the empty one is the top."""
    rest = b""
    with listed.open("rb") as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            *found, rest = (rest + chunk).split(b"\0")
            yield from (b"" if path == b"." else path for path in found)


class _Walk:
    """One walk over both trees."""

    def __init__(
        self, source: bytes, destination: bytes, since: int | None, changed: BinaryIO, progress: Callable[[int], None]
    ) -> None:
        self._source, self._destination = source, destination
        self._since, self._changed, self._progress = since, changed, progress
        self._inodes: dict[int, int] = {}
        self._entries = self._read = self._different = 0
        self._shown: list[str] = []
        self._folder: bytes | None = None

    def run(self, remembered: Remembered | None) -> Verdict:
        for path, ours, theirs in pairs(self._source, self._destination):
            self.look(path, ours, theirs, remembered, remembered is not None)
        return self.verdict()

    def verdict(self) -> Verdict:
        return Verdict(self._entries, self._read, self._different, self._shown)

    def look(
        self,
        path: bytes,
        ours: os.stat_result | None,
        theirs: os.stat_result | None,
        remembered: Remembered | None,
        contents: bool,
    ) -> None:
        """Compare one entry, and note when it differs."""
        self._entries += 1
        try:
            wrong = self._difference(path, ours, theirs, remembered, contents)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            wrong = "it changed meanwhile"
        if wrong:
            self._different += 1
            self._list(path)
            if len(self._shown) < _SHOWN:
                self._shown.append("{0}: {1}".format(path.decode(errors="backslashreplace") or ".", wrong))

    def _list(self, path: bytes) -> None:
        folder = os.path.dirname(path)
        if folder != self._folder:
            self._folder = folder
            self._changed.write((folder or b".") + b"\0")
        self._changed.write((path or b".") + b"\0")

    def _difference(
        self,
        path: bytes,
        ours: os.stat_result | None,
        theirs: os.stat_result | None,
        remembered: Remembered | None,
        contents: bool,
    ) -> str:
        """What differs, in words; "" when nothing does."""
        a, b = os.path.join(self._source, path), os.path.join(self._destination, path)
        if ours is None or theirs is None:
            return "" if ours is theirs else "it is missing in the copy" if theirs is None else "it is only in the copy"
        wrong = _difference(ours, theirs, a, b) or self._link(ours, theirs)
        if wrong or not contents or not stat.S_ISREG(ours.st_mode):
            return wrong
        keys = _keys(ours, theirs)
        if not (remembered and remembered.has(path, keys)):
            if not self._equal(a, b):
                return "its contents differ"
            if _keys(os.lstat(a), os.lstat(b)) != keys:
                return "it changed meanwhile"
        if remembered and (self._since is None or ours.st_ctime_ns < self._since):
            remembered.add(path, keys)
        return ""

    def _link(self, ours: os.stat_result, theirs: os.stat_result) -> str:
        """Names of one file are names of one file on the other side too."""
        if stat.S_ISDIR(ours.st_mode) or max(ours.st_nlink, theirs.st_nlink) == 1:
            return ""
        if ours.st_nlink != theirs.st_nlink or self._inodes.setdefault(ours.st_ino, theirs.st_ino) != theirs.st_ino:
            return "its hard links differ"
        return ""

    def _equal(self, ours: bytes, theirs: bytes) -> bool:
        with open(os.open(ours, _READ), "rb", 0) as a, open(os.open(theirs, _READ), "rb", 0) as b:
            while True:
                left, right = a.read(_CHUNK) or b"", b.read(_CHUNK) or b""
                self._read += len(left)
                self._progress(len(left))
                if left != right:
                    return False
                if not left:
                    return True


def pairs(source: bytes, destination: bytes) -> Iterator[tuple[bytes, os.stat_result | None, os.stat_result | None]]:
    """Every entry of the source and what the copy has there, and the top of what only the copy has, depth first, names
    in the order of their bytes."""
    waiting = [(iter([b""]), True)]
    while waiting:
        names, is_copied = waiting[-1]
        path = next(names, None)
        if path is None:
            waiting.pop()
            continue
        ours = _lstat(os.path.join(source, path))
        # Nothing is looked up below what is no folder in the copy: it could be a link to elsewhere.
        theirs = _lstat(os.path.join(destination, path)) if is_copied else None
        yield path, ours, theirs
        if ours is not None and stat.S_ISDIR(ours.st_mode):
            folders = [os.path.join(source, path)]
            if theirs is not None and stat.S_ISDIR(theirs.st_mode):
                folders.append(os.path.join(destination, path))
            waiting.append((iter([os.path.join(path, name) for name in _names(folders)]), len(folders) == 2))


def _names(folders: list[bytes]) -> list[bytes]:
    found: set[bytes] = set()
    for folder in folders:
        try:
            found.update(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return sorted(found)


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
