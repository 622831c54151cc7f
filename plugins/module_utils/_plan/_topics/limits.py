# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of memory, processes and descriptors (private to the collection)."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..._common.json import Json, dig, items, mapping, text
from .._documents.containers import name_of
from .._tables.options import Setting
from ..model import WARNING, Finding

Limits = Mapping[str, Sequence[int]]
"""Resource limits of a process by name: soft and hard, -1 for none."""


def settings(container: Json, seen: Limits, hardened: bool) -> list[Setting]:
    """Limits whose defaults differ; ``seen`` is what the kernel shows for the container's first process.

    Docker limits neither processes nor, beyond its own unit's settings, descriptors; Podman does both.
    """
    pids = dig(container, "HostConfig.PidsLimit")
    settings = [("pids_limit", str(pids if pids else -1))] if pids or not hardened else []
    memory, swap = dig(container, "HostConfig.Memory"), dig(container, "HostConfig.MemorySwap")
    if isinstance(swap, int) and swap and swap != 2 * (memory or 0):
        settings.append(("memory_swap", str(swap)))
    own = {text(item.get("Name")): item for item in map(mapping, items(dig(container, "HostConfig.Ulimits")))}
    limits = {name: (item.get("Soft"), item.get("Hard")) for name, item in own.items()}
    if not hardened:
        limits = {**{name: (pair[0], pair[1]) for name, pair in seen.items()}, **limits}
    return settings + [
        ("ulimit", f"{name}={_bound(soft)}:{_bound(hard)}") for name, (soft, hard) in sorted(limits.items())
    ]


def _bound(value: Any) -> int:
    return value if isinstance(value, int) else -1


def slice_lines(container: Json) -> list[tuple[str, str]]:
    """The [Service] line that puts it below a slice of systemd."""
    parent = text(dig(container, "HostConfig.CgroupParent"))
    return [("Slice", parent)] if _is_slice(parent) else []


def _is_slice(parent: str) -> bool:
    return parent.endswith(".slice") and "/" not in parent and not set(parent) & set(" \t\n\"'%$")


def findings(container: Json) -> list[Finding]:
    """A parent control group that is no slice."""
    parent, path = text(dig(container, "HostConfig.CgroupParent")), "HostConfig.CgroupParent"
    if not parent or _is_slice(parent):
        return []
    message = f"Under systemd {parent[:80]!r} cannot be a parent; the service stands in system.slice."
    remedy = "Make a slice with the same limits, or accept it."
    return [Finding(WARNING, "cgroup-parent", name_of(container), path, message, remedy)]
