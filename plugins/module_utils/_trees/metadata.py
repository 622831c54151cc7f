# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two entries of trees have in common but their contents (private to the collection)."""

from __future__ import annotations

import errno
import os
import stat

# It belongs to the target's policy.
_FOREIGN = ("security.selinux",)


def difference(ours: os.stat_result, theirs: os.stat_result, a: bytes, b: bytes) -> str:
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
