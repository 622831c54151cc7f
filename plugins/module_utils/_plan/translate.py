# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to a plan: the one entry of the core (private to the collection)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import (
    coverage,
    engine,
    fields,
    registries,
    workload,
    workloads,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import (
    policy as policies,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import name_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.context import Context, Services, context
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.findings import container_findings
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    BLOCKER,
    Finding,
    Json,
    parse_version,
    text,
)

FORMAT = 1
UNIT_DIR = "/etc/containers/systemd"

_ROWS = {
    "container": fields.index(fields.CONTAINER),
    "network": fields.index(fields.NETWORK),
    "volume": fields.index(fields.VOLUME),
}


def make_plan(inventory: Any, policy: Any, podman_version: str) -> Json:
    """The plan (design: "Contract of migration_plan"), complete and with environment values.

    Raises PlanError when inventory, policy or version are not what they should be; everything else is a finding.
    """
    rules = policies.checked(policy)
    known = context(inventory, parse_version(podman_version))
    services = Services(known.host)
    excluded = set(rules.get("exclude", []))
    covered = {name_of(item): _coverage(item, known) for item in known.containers}
    found = engine.findings(known) + registries.findings(known) + _document_findings(known)
    planned: list[Json] = []
    left: list[str] = []
    for group in sorted(workloads.connect(known.containers), key=workload.name_of_group):
        name = workload.name_of_group(group)
        own = [item for member in group for item in _container_findings(member, covered[name_of(member)], known)]
        if name in excluded:
            left += [name_of(member) for member in group]
            continue
        if not any(item.severity == BLOCKER and not policies.is_accepted(item, rules) for item in own):
            entry, more = workload.make(group, known, services, rules)
            planned.append(entry)
            own += more
        found += own
    return _sealed(
        {
            "format": FORMAT,
            "target": {
                "podman": ".".join(str(part) for part in known.version),
                "systemd": known.host.get("systemd"),
                "user": "root",
                "unit_dir": UNIT_DIR,
            },
            "engine": {"id": text(known.engine.get("id")), "data_root": known.data_root},
            "policy": rules,
            "registries": registries.registries(known),
            "workloads": planned,
            "left_on_docker": sorted(left),
            "findings": [{**item.as_json(), "accepted": policies.is_accepted(item, rules)} for item in found],
            "coverage": covered,
        }
    )


def _sealed(plan: Json) -> Json:
    canonical = json.dumps(plan, sort_keys=True, separators=(",", ":")).encode()
    return {**plan, "hash": hashlib.sha256(canonical).hexdigest()}


def _coverage(container: Json, known: Context) -> dict[str, str]:
    own_defaults = {"Config.Hostname": text(container.get("Id"))[:12]}
    return coverage.coverage(container, _ROWS["container"], {"Config": known.image_config(container)}, own_defaults)


def _container_findings(container: Json, covered: dict[str, str], known: Context) -> list[Finding]:
    field_findings = coverage.findings(name_of(container), container, covered, _ROWS["container"])
    return field_findings + container_findings(container, known)


def _document_findings(known: Context) -> list[Finding]:
    """The networks and volumes that containers use; what nobody uses stays where it is."""
    used_networks = {name for item in known.containers for name in workloads.networks_of(item)}
    used_volumes = {name for item in known.containers for name in workloads.volumes_of(item)}
    found = []
    for kind, used, documents in (
        ("network", used_networks, known.networks),
        ("volume", used_volumes, known.volumes),
    ):
        for name in sorted(used & set(documents)):
            covered = coverage.coverage(documents[name], _ROWS[kind], {}, {})
            found += coverage.findings(name, documents[name], covered, _ROWS[kind])
    return found
