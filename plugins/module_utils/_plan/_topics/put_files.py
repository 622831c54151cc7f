# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that were put into a container from outside: Compose's configs and secrets, ``docker cp`` (private to the
collection).

Docker keeps them with the container; under Quadlet each start makes a new one. They become Podman secrets, which
are mounted with their owner and mode at each start, and of which no unit holds a byte.
"""

from __future__ import annotations

import posixpath
import re
from typing import Sequence

from ..._common.json import Json, items, mapping, text
from .. import policy
from .._documents.containers import name_of
from .._documents.context import Context
from .._tables.options import Setting
from ..model import INFO, WARNING, Finding, is_below, is_carried
from . import mounts

LARGEST = 512000
"""Bytes; Podman takes no larger secret, and no empty one (podman-secret-create(1))."""

_MOST = 100
"""Files of one container. More of them are a tree, which is data."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_SHOWN = 5


def carried(container: Json, known: Context, rules: Json) -> list[Json]:
    """{name, container, file, uid, gid, mode} for each file that becomes a secret; ``file`` is its path."""
    found: dict[str, Json] = {}
    for entry, obstacle in _judged(container, known, rules):
        if obstacle:
            continue
        path = text(entry.get("path"))
        name = "{0}-file-{1}".format(name_of(container), _UNSAFE.sub("_", path.strip("/"))[-100:])
        while name in found:
            name += "_"
        owner = {key: _whole(entry.get(key)) for key in ("uid", "gid", "mode")}
        found[name] = {"name": name, "container": name_of(container), "file": path, **owner}
    return list(found.values())


def settings(secrets: Sequence[Json]) -> list[Setting]:
    """The files among the secrets of a container, where they were."""
    return [
        (
            "secret",
            "{name},type=mount,target={file},uid={uid},gid={gid},mode={octal:04o}".format(**item, octal=item["mode"]),
        )
        for item in secrets
        if "file" in item
    ]


def paths(container: Json, known: Context) -> set[str]:
    """All that was put into it, carried or not."""
    return {text(entry.get("path")) for entry in _entries(container, known)}


def findings(container: Json, known: Context, rules: Json) -> list[Finding]:
    """The files that are carried, and those that cannot be."""
    name, found = name_of(container), []
    judged = [(text(entry.get("path")), why) for entry, why in _judged(container, known, rules)]
    files = sorted(path for path, why in judged if not why)
    if files:
        message = (
            "Files that were put into it before it started become Podman secrets, and begin anew at each start: {}."
        )
        remedy = "To change one, use podman secret create --replace with the name in its unit."
        found.append(Finding(INFO, "put-files", name, "SizeRw", message.format(_listed(files)), remedy))
        changed = {text(entry.get("path")) for entry in _entries(container, known) if entry.get("changed") is True}
        found += _changed(name, [path for path in files if path in changed])
    lost = ["{0} ({1})".format(path, why) for path, why in judged if why]
    if lost:
        message = f"It was put into the container before it started, and is gone under Podman: {_listed(sorted(lost))}."
        remedy = (
            "Mount it from the host under Docker, or set policy.containers.{0}.commit, which makes an image; or accept it "
            "with policy.accept: ['lost-files:{0}']."
        ).format(name)
        found.append(Finding(WARNING, "lost-files", name, "SizeRw", message, remedy))
    return found


def _changed(name: str, files: Sequence[str]) -> list[Finding]:
    """Podman mounts a secret as a file, and what is mounted cannot be renamed or removed."""
    if not files:
        return []
    message = (
        "It has changed files that were put into it. Under Podman each start begins with them as they are when it moves, "
        f"and it can write to them, but not put others in their place (sed -i, mv): {_listed(files)}."
    )
    remedy = f"If it does so at its start, set policy.containers.{name}.commit, which makes an image of them."
    return [Finding(WARNING, "changed-files", name, "SizeRw", message, remedy)]


def _entries(container: Json, known: Context) -> list[Json]:
    change = known.changes.get(text(container.get("Id")), {})
    return [mapping(item) for item in items(change.get("put")) if text(mapping(item).get("path")).startswith("/")]


def _put(container: Json, known: Context, rules: Json) -> list[Json]:
    """What is seen in the container and kept by nothing else."""
    if name_of(container) in known.committed:
        return []
    kept = policy.persist(rules, name_of(container))
    return [
        entry
        for entry in mounts.uncovered(container, _entries(container, known))
        if not any(is_below(text(entry.get("path")), folder) for folder in kept)
    ]


def _judged(container: Json, known: Context, rules: Json) -> list[tuple[Json, str]]:
    """Each with the reason why it cannot become a secret; "" when it can."""
    put = _put(container, known, rules)
    return [(entry, "too many" if len(put) > _MOST else _obstacle(entry)) for entry in put]


def _obstacle(entry: Json) -> str:
    path, size = text(entry.get("path")), _whole(entry.get("size"))
    if entry.get("type") != "file":
        return "no file"
    if not 0 < size <= LARGEST:
        return "{} bytes".format(size)
    is_plain = posixpath.normpath(path) == path and not set(path) & set(",\r\n") and is_carried(path)
    return "" if is_plain and not _has_lone_bytes(path) else "its name"


def _has_lone_bytes(path: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in path)


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_SHOWN])
    return shown if len(words) <= _SHOWN else "{} and {} more".format(shown, len(words) - _SHOWN)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 1 << 32 else 0
