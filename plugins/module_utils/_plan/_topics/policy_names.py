# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in the policy that the host does not have: a typing error would move what was to stay, or lose what was to be kept
(private to the collection)."""

from __future__ import annotations

from typing import Collection, Iterator

from ..._common.json import Json, mapping, strings
from .._documents.containers import project_of
from .._documents.context import Context
from ..model import WARNING, Finding


def findings(known: Context, workloads: Collection[str], rules: Json) -> Iterator[Finding]:
    """Names of no container, project or workload. ``workloads``: the names of all, also of those that stay in Docker."""
    projects = {project_of(container) for container in known.containers}
    for key, kind, names, there in (
        ("containers", "container", mapping(rules.get("containers")), known.by_name),
        ("projects", "project", mapping(rules.get("projects")), {*workloads, *projects}),
        ("exclude", "workload", strings(rules.get("exclude")), workloads),
    ):
        for name in sorted(set(names) - set(there)):
            message = f"The policy has it below {key}, and this host has no such {kind}."
            remedy = f"Correct the name in policy.{key}, or accept it with policy.accept: ['no-{kind}:{name}']."
            yield Finding(WARNING, "no-" + kind, name, f"policy.{key}", message, remedy)
