# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written into a container itself, and is gone after its first stop under Podman (private to the collection)."""

from __future__ import annotations

import fnmatch
import posixpath
from typing import Sequence

from ..._common.json import Json, items, mapping, strings, text
from .. import policy
from .._documents.containers import name_of
from .._documents.context import Context
from ..model import INFO, WARNING, Finding
from . import mounts, put_files

LIMIT = 1 << 20
"""Bytes above which they are taken for data."""

NOISE = ("/tmp", "/run", "/var/run", "/var/tmp", "/var/lock", "/var/cache", "/root/.cache", "*.pid", "*.pyc")
"""Where programs leave what they make anew: folders with all that is in them, and patterns of whole paths."""

DATA = (
    "*.db",
    "*.sqlite",
    "*.sqlite3",
    "*.rdb",
    "*.aof",
    "*.mdb",
    "*.ldb",
    "*.ibd",
    "*.frm",
    "*.MYD",
    "*.wt",
    "*.kdbx",
)
"""Names of files of databases, which are data at any size. Those in /etc are made of other files there."""

MEASURED = ("writable-layer", "written", "removed-files", "changed-files")
"""Codes of findings whose words change by themselves, as the application writes."""

_SHOWN = 20


def findings(container: Json, known: Context, rules: Json) -> list[Finding]:
    """All that was written, with its paths; a warning when more than a little was, noise aside, or files of a database."""
    if name_of(container) in known.committed:
        return []
    change = known.changes.get(text(container.get("Id")), {})
    kept = policy.persist(rules, name_of(container))
    put = put_files.paths(container, known)
    files = [mapping(item) for item in items(change.get("largest"))]
    files = [item for item in files if not _is_kept(item, kept) and text(item.get("path")) not in put]
    removed = [path for path in strings(change.get("removed")) if not _is_kept({"path": path}, kept)]
    return [
        *_data(container, change, files, rules),
        *_written(container, mounts.uncovered(container, files)),
        *_removed(container, removed),
    ]


def _data(container: Json, change: Json, files: Sequence[Json], rules: Json) -> list[Finding]:
    size = container.get("SizeRw") or change.get("size")
    size = size if isinstance(size, int) else 0
    noise = [*NOISE, *policy.noise(rules)]
    data = [item for item in files if not is_noise(text(item.get("path")), noise)]
    # Names of one file are listed each.
    listed = [mapping(item) for item in items(change.get("largest"))]
    size = max(size - sum(_bytes(item) for item in listed if item not in data), sum(map(_bytes, data)))
    named = [item for item in data if _is_database(text(item.get("path")))]
    if size <= LIMIT and not named:
        return []
    largest = ", ".join(text(item.get("path")) for item in (data if size > LIMIT else named)[:3])
    message = "{} written into the container itself{}; they stay in Docker and are gone under Podman.".format(
        "{} MiB were".format(size >> 20) if size > LIMIT else "Files of a database were",
        largest and ", among them " + largest,
    )
    remedy = (
        "Name their folders in policy.containers.{0}.persist, which makes volumes of them; or set policy.containers.{0}."
        "commit, which makes an image; or name them in policy.noise, or accept it with policy.accept: "
        "['writable-layer:{0}']."
    ).format(name_of(container))
    return [Finding(WARNING, "writable-layer", name_of(container), "SizeRw", message, remedy)]


def _written(container: Json, files: Sequence[Json]) -> list[Finding]:
    if not files:
        return []
    message = "It has written into itself, and loses at its next start: {}.".format("; ".join(grouped(files)))
    remedy = "What must stay: name its folder in policy.containers.{0}.persist.".format(name_of(container))
    return [Finding(INFO, "written", name_of(container), "SizeRw", message, remedy)]


def _removed(container: Json, removed: Sequence[str]) -> list[Finding]:
    if not removed:
        return []
    message = "Files of its image were removed, and come back: {}.".format(
        "; ".join(grouped([{"path": path} for path in removed]))
    )
    return [Finding(INFO, "removed-files", name_of(container), "SizeRw", message, "None needed, or remove them again.")]


def grouped(files: Sequence[Json]) -> list[str]:
    """Paths by folder, the largest first: ``/etc/app/app.conf (900 bytes)``, ``/var/lib/app (12 files, 31 KiB)``."""
    folders: dict[str, list[Json]] = {}
    for item in files:
        folders.setdefault(posixpath.dirname(text(item.get("path"))), []).append(item)
    ordered = sorted(folders.items(), key=lambda pair: (-sum(map(_bytes, pair[1])), pair[0]))
    lines = [_group(folder, found) for folder, found in ordered[:_SHOWN]]
    more = len(ordered) - _SHOWN
    return [*lines, *(["{} more folders".format(more)] if more > 0 else [])]


def _group(folder: str, found: Sequence[Json]) -> str:
    size = sum(map(_bytes, found))
    words = ["{} files".format(len(found))] if len(found) > 1 else []
    words += [_size(size)] if size else []
    place = folder or "/"
    place = place if len(found) > 1 else text(found[0].get("path"))
    return "{} ({})".format(place, ", ".join(words)) if words else place


def _size(size: int) -> str:
    return "{} byte{}".format(size, "s"[: size != 1]) if size < 1024 else "{} KiB".format(size >> 10)


def _is_database(path: str) -> bool:
    return not path.startswith("/etc/") and any(fnmatch.fnmatchcase(path, rule) for rule in DATA)


def is_noise(path: str, noise: Sequence[str]) -> bool:
    """Whether a path is one of these, below one of them, or matches one with a ``*``."""
    return any(
        fnmatch.fnmatchcase(path, rule) if "*" in rule else (path + "/").startswith(rule + "/") for rule in noise
    )


def _is_kept(item: Json, kept: Sequence[str]) -> bool:
    return any((text(item.get("path")) + "/").startswith(folder + "/") for folder in kept)


def _bytes(item: Json) -> int:
    found = item.get("bytes")
    return found if isinstance(found, int) and found > 0 else 0
