# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies on the host where containers have bind mounts (private to the collection)."""

from __future__ import annotations

import os
import stat
from typing import Iterable

from .._common.json import Json
from . import resolver_files

_TYPES = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISREG, "file"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISBLK, "device"),
    (stat.S_ISCHR, "device"),
)


def paths(containers: Iterable[Json]) -> frozenset[str]:
    """The sources of their bind mounts."""
    mounts = (mount for item in containers for mount in item.get("Mounts") or [])
    return frozenset(str(mount["Source"]) for mount in mounts if mount["Type"] == "bind")


def look(sources: Iterable[str]) -> Json:
    """``{path: {type, real}}``: ``real`` is the path without links, ``type`` what is there, or ``missing``; ``resolver``: files
    there that name Docker's name server.

    What cannot be looked at is left out (a FUSE mount can be closed to root).
    """
    return {path: found for path, found in ((path, _look(path)) for path in sorted(sources)) if found}


def _look(path: str) -> Json:
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return {"type": "missing", "real": os.path.realpath(path)}
    except (OSError, ValueError):
        return {}
    found = {"type": next(name for is_it, name in _TYPES if is_it(mode)), "real": os.path.realpath(path)}
    named = resolver_files.look(found["real"]) if found["type"] in ("file", "folder") else []
    return {**found, "resolver": named} if named else found
