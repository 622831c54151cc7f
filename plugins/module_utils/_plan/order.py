# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who starts before whom (private to the collection)."""

from __future__ import annotations

from typing import Mapping, Sequence

from .._common.json import Json
from ._documents.containers import COMPOSE, label, links_of, name_of
from ._topics.networking import parents

HEALTHY = "service_healthy"


def dependencies(containers: Sequence[Json], names: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Container -> {container it depends on: condition}, from Compose's label, links and shared namespaces.

    The label is ``service:condition:restart,...``; older versions of Compose write fewer fields. ``names``: of
    containers by ID.
    """
    by_service: dict[str, list[str]] = {}
    for container in containers:
        by_service.setdefault(label(container, COMPOSE + "service"), []).append(name_of(container))
    found: dict[str, dict[str, str]] = {}
    for container in containers:
        entries = [entry.split(":") for entry in label(container, COMPOSE + "depends_on").split(",") if entry]
        found[name_of(container)] = {
            name: entry[1] if len(entry) > 1 else "service_started"
            for entry in entries
            for name in by_service.get(entry[0], [])
            if name != name_of(container)
        }
        others = [target for target, _alias in links_of(container)] + parents(container, names)
        for other in others:
            found[name_of(container)].setdefault(other, "service_started")
    return found


def layers(graph: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """Start order: each layer depends on earlier ones only. What depends on itself in a circle comes last, as one."""
    remaining = {name: set(needs) & set(graph) for name, needs in graph.items()}
    ordered: list[list[str]] = []
    while remaining:
        left = set(remaining)
        ready = sorted(name for name, needs in remaining.items() if not needs & left) or sorted(remaining)
        ordered.append(ready)
        for name in ready:
            del remaining[name]
    return ordered
