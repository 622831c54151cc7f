# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names below a folder, opened part by part: none of them leads out of it by a link (private to the collection).

A container that can write there can exchange a name for a link or a device, between our look at it and its use. A descriptor of
``O_PATH`` opens nothing: what it stands for is looked at first, and only a regular file is opened then.
"""

from __future__ import annotations

import errno
import os
import stat

ANYTHING = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER = ANYTHING | os.O_DIRECTORY


def look(folder: int, path: bytes, last: int = ANYTHING) -> int:
    """A descriptor (``O_PATH``) of what ``path`` is below an open folder; "" is the folder. ``last`` is how its last part
    is opened. Raises OSError, also where the way there leads through a link."""
    found = os.dup(folder)
    parts = [part for part in path.split(b"/") if part]
    try:
        for number, part in enumerate(parts, 1):
            if part == b"..":
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            inner = os.open(part, last if number == len(parts) else FOLDER, dir_fd=found)
            os.close(found)
            found = inner
    except OSError:
        os.close(found)
        raise
    return found


def reading(folder: int, path: bytes) -> int:
    """A descriptor that reads the regular file at ``path``. Raises OSError: ENXIO where it is anything else."""
    found = look(folder, path)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), path)
        return os.open("/proc/self/fd/{0}".format(found), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(found)


def status(folder: str, path: str) -> os.stat_result:
    """What is at ``path`` below a folder, itself and not what a link points to. Raises OSError."""
    top = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = look(top, os.fsencode(path))
    finally:
        os.close(top)
    try:
        return os.fstat(found)
    finally:
        os.close(found)
