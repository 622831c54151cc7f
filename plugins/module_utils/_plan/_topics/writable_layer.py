# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written into a container itself, and is gone after its first stop under Podman (private to the collection)."""

from __future__ import annotations

import fnmatch
from typing import Sequence

from ..._common.json import Json, items, mapping, text
from .. import policy
from .._documents.containers import name_of
from .._documents.context import Context
from ..model import WARNING, Finding

LIMIT = 1 << 20
"""Bytes above which they are taken for data."""

NOISE = ("/tmp", "/run", "/var/run", "/var/tmp", "/var/lock", "/var/cache", "/root/.cache", "*.pid", "*.pyc")
"""Where programs leave what they make anew: folders with all that is in them, and patterns of whole paths."""


def findings(container: Json, known: Context, rules: Json) -> list[Finding]:
    """A warning with size and largest paths when more than a little was written, noise aside."""
    change = known.changes.get(text(container.get("Id")), {})
    size = container.get("SizeRw") or change.get("size")
    if not isinstance(size, int) or size <= LIMIT or name_of(container) in known.committed:
        return []
    noise = [*NOISE, *policy.noise(rules)]
    files = [mapping(item) for item in items(change.get("largest"))]
    kept = policy.persist(rules, name_of(container))
    data = [item for item in files if not is_noise(text(item.get("path")), noise) and not _is_kept(item, kept)]
    # Names of one file are listed each.
    size = max(size - sum(_bytes(item) for item in files if item not in data), sum(map(_bytes, data)))
    if size <= LIMIT:
        return []
    largest = ", ".join(text(item.get("path")) for item in data[:3])
    message = "{} MiB were written into the container itself{}; they stay in Docker and are gone under Podman.".format(
        size >> 20, largest and ", among them " + largest
    )
    remedy = (
        "Name their folders in policy.containers.{0}.persist, which makes volumes of them; or set policy.containers.{0}."
        "commit, which makes an image; or name them in policy.noise, or accept it with policy.accept: "
        "['writable-layer:{0}']."
    ).format(name_of(container))
    return [Finding(WARNING, "writable-layer", name_of(container), "SizeRw", message, remedy)]


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
