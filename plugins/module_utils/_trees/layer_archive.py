# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writable layer of a container, from overlayfs' folder to the archive that a layer of an image is (private to the
collection).

What was removed is a device 0:0 or an attribute in the folder (kernel, filesystems/overlayfs), and an empty file with a
special name in the archive (OCI image-spec, layer.md).
"""

from __future__ import annotations

import os
import stat
import tarfile
from typing import BinaryIO, Iterator, NamedTuple

_REMOVED = ".wh."
_NOTHING_BELOW = ".wh..wh..opq"
_OVERLAY = "trusted.overlay."
# Both are off unless somebody turned them on for the whole host: folders that were renamed, files without contents.
_NOT_HERE = (_OVERLAY + "redirect", _OVERLAY + "metacopy")
# It belongs to the target's policy.
_FOREIGN = ("security.selinux",)


class LayerError(Exception):
    """A writable layer cannot be taken. The message says what of it."""


class Entry(NamedTuple):
    """Something in the folder: its path from there ("" is the folder itself)."""

    name: str
    path: str
    status: os.stat_result


def entries(folder: str) -> Iterator[Entry]:
    """All that goes into the archive, folders before what is in them. Raises LayerError for what cannot."""
    waiting = [""]
    while waiting:
        name = waiting.pop()
        path = os.path.join(folder, name) if name else folder
        entry = Entry(name, path, os.lstat(path))
        _require_whole(entry)
        # A socket is made anew by who listens on it, and an archive cannot hold one.
        if not stat.S_ISSOCK(entry.status.st_mode):
            yield entry
        if stat.S_ISDIR(entry.status.st_mode):
            waiting += sorted((os.path.join(name, inner) for inner in os.listdir(path)), reverse=True)


def write(folder: str, stream: BinaryIO) -> None:
    """Write the archive. Nobody may write to the folder meanwhile. Raises LayerError, OSError."""
    known: dict[tuple[int, int], str] = {}
    with tarfile.open(
        fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for entry in entries(folder):
            if _is_removal(entry.status):
                parent, base = os.path.split(entry.name)
                archive.addfile(tarfile.TarInfo(os.path.join(parent, _REMOVED + base)))
                continue
            member = _member(entry, known)
            if member.isreg():
                with open(entry.path, "rb") as content:
                    archive.addfile(member, content)
            else:
                archive.addfile(member)
            if _attributes(entry).get(_OVERLAY + "opaque") == b"y":
                archive.addfile(tarfile.TarInfo(os.path.join(entry.name, _NOTHING_BELOW)))


def _member(entry: Entry, known: dict[tuple[int, int], str]) -> tarfile.TarInfo:
    found = entry.status
    member = tarfile.TarInfo(entry.name or ".")
    member.mode, member.uid, member.gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    seconds, rest = divmod(abs(found.st_mtime_ns), 10**9)
    member.pax_headers = {"mtime": "{0}{1}.{2:09d}".format("-" if found.st_mtime_ns < 0 else "", seconds, rest)}
    for name, value in _attributes(entry).items():
        if not name.startswith(_OVERLAY) and name not in _FOREIGN:
            member.pax_headers["SCHILY.xattr." + name] = value.decode("utf-8", "surrogateescape")
    first = known.setdefault((found.st_dev, found.st_ino), entry.name)
    if stat.S_ISDIR(found.st_mode):
        member.type = tarfile.DIRTYPE
    elif first != entry.name:
        member.type, member.linkname = tarfile.LNKTYPE, first
    elif stat.S_ISREG(found.st_mode):
        member.size = found.st_size
    elif stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(entry.path)
    elif stat.S_ISFIFO(found.st_mode):
        member.type = tarfile.FIFOTYPE
    else:
        member.type = tarfile.CHRTYPE if stat.S_ISCHR(found.st_mode) else tarfile.BLKTYPE
        member.devmajor, member.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    return member


def _is_removal(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _attributes(entry: Entry) -> dict[str, bytes]:
    try:
        names = os.listxattr(entry.path, follow_symlinks=False)
    except OSError:
        return {}
    return {name: os.getxattr(entry.path, name, follow_symlinks=False) for name in names}


def _require_whole(entry: Entry) -> None:
    if os.path.basename(entry.name).startswith(_REMOVED):
        raise LayerError("the name {0!r} would mean that something was removed".format("/" + entry.name))
    missing = [name for name in _NOT_HERE if name in _attributes(entry)]
    if missing:
        raise LayerError("the kernel keeps a part of {0!r} elsewhere ({1})".format("/" + entry.name, missing[0]))
