# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to a plan: the one entry of the core (private to the collection)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from .._common.json import Json, dig, mapping, text
from . import container_unit, coverage, fields, grouping, hidden, masking, workload
from . import policy as policies
from ._documents.containers import name_of, networks_of
from ._documents.context import Context, Services, context
from ._tables import container_fields, resource_fields
from ._topics import (
    adopted,
    commits,
    engine,
    network_options,
    persist,
    policy_names,
    registries,
    routes,
    secrets,
    volume_links,
    volume_options,
    writable_layer,
)
from .findings import container_findings
from .model import BLOCKER, INFO, Finding, PlanError, Version, parse_version
from .unit_file import Unit

FORMAT = 1
_UNSAID: Version = (0, 0, 0)

_ROWS = {
    "container": fields.index(container_fields.CONTAINER),
    "network": fields.index(resource_fields.NETWORK),
    "volume": fields.index(resource_fields.VOLUME),
}


def make_plan(
    inventory: Any, policy: Any, podman_version: str | None = None, known_secrets: hidden.Secrets | None = None
) -> Json:
    """The plan (design: "Contract of migration_plan"), complete and with environment values.

    Without ``podman_version`` it is made for the Podman that the inventory names: installed, or to be installed.
    ``known_secrets``: those of the inventory, when they have been looked for already.
    Raises PlanError when inventory, policy or version are not what they should be; everything else is a finding.
    """
    rules = policies.checked(policy)
    known = _decided(context(inventory, _version(inventory, podman_version)), rules)
    known = replace(known, secrets=known_secrets or hidden.of_inventory(inventory, policies.secret_rules(rules)))
    if known.version == _UNSAID:
        raise PlanError("The inventory does not say which Podman the host will have; say podman_version, as in 5.4.2.")
    covered = {name_of(item): _coverage(item, known) for item in known.containers}
    made, left, found = _workloads(known, rules, covered)
    hide = masking.Masking(known.secrets, policies.secret_rules(rules))
    return _sealed(
        {
            "format": FORMAT,
            "target": {
                "podman": ".".join(str(part) for part in known.version),
                "systemd": known.host.get("systemd"),
                "user": "root",
                "unit_dir": container_unit.UNIT_DIR,
            },
            "engine": {"id": text(known.engine.get("id")), "data_root": known.data_root},
            "policy": rules,
            "registries": registries.registries(known),
            "workloads": [hide.workload(item.entry) for item in made],
            "left_on_docker": left,
            "findings": [
                {**hide.finding(item.as_json()), "accepted": policies.is_accepted(item, rules)} for item in found
            ],
            "coverage": covered,
        }
    )


def _decided(known: Context, rules: Json) -> Context:
    """The inventory with what the policy makes of writable layers, and the order of networks."""
    metrics, detours = routes.decided(known)
    return replace(commits.applied(persist.applied(known, rules), rules), metrics=metrics, detours=detours)


def _version(inventory: Any, wanted: str | None) -> Version:
    for found in (wanted, dig(inventory, "host.podman.installed"), dig(inventory, "host.podman.candidate")):
        if isinstance(found, str) and found:
            return parse_version(found)
    return _UNSAID


def drafts(inventory: Any, policy: Any, podman_version: str) -> list[Unit]:
    """The units of the plan before they are written: settings of the option table, for tests against real generators."""
    rules = policies.checked(policy)
    known = _decided(context(inventory, parse_version(podman_version)), rules)
    return [unit for made in _workloads(known, rules, {})[0] for unit in made.units]


def _workloads(
    known: Context, rules: Json, covered: dict[str, dict[str, str]]
) -> tuple[list[workload.Made], list[str], list[Finding]]:
    """The workloads that can be planned, the names of containers that stay in Docker by policy, and all findings."""
    services = Services(known.host)
    excluded = set(rules.get("exclude", []))
    groups = _named(grouping.connect(known.containers, known.names))
    moving = [member for name, group in groups if name not in excluded for member in group]
    found = engine.findings(known) + registries.findings(known) + _document_findings(known, moving, rules)
    found += policy_names.findings(known, [name for name, _group in groups], rules)
    stuck = {item.subject for item in found if item.severity == BLOCKER and not policies.is_accepted(item, rules)}
    planned: list[workload.Made] = []
    left: list[str] = []
    for name, group in groups:
        own = [item for member in group for item in _container_findings(member, covered, known, rules)]
        own += adopted.findings(group, known, rules)
        own += volume_links.findings(group, known)
        if name in excluded:
            left += [name_of(member) for member in group]
            continue
        blocked = any(item.severity == BLOCKER and not policies.is_accepted(item, rules) for item in own)
        if not blocked and not stuck & {used for member in group for used in _used(member)}:
            try:
                made = workload.make(name, group, known, services, rules)
            except PlanError as error:
                own.append(_unwritable(name, error))
            else:
                planned.append(made)
                own += made.findings
        found += own
    return planned, sorted(left), found


def _used(container: Json) -> list[str]:
    return networks_of(container) + grouping.volumes_of(container)


def _named(groups: list[list[Json]]) -> list[tuple[str, list[Json]]]:
    """The workloads by name. A project keeps its own, and what is called like it gets a number: journals go by name."""
    found: dict[str, list[Json]] = {}
    for group in sorted(groups, key=lambda group: (not workload.is_project(group), workload.name_of_group(group))):
        wanted = name = workload.name_of_group(group)
        number = 1
        while name in found:
            number += 1
            name = f"{wanted}-{number}"
        found[name] = group
    return sorted(found.items())


def _unwritable(name: str, error: PlanError) -> Finding:
    message = f"Its units cannot be written: {error}."
    remedy = "Shorten or remove the value, or leave the workload out with policy.exclude."
    return Finding(BLOCKER, "unwritable", name, "", message, remedy)


def _sealed(plan: Json) -> Json:
    settled = {
        name: {path: word for path, word in covered.items() if word not in (fields.RUNTIME, "default")}
        for name, covered in plan["coverage"].items()
    }
    # What the engine measures at one moment is not the plan's.
    steady = {
        **plan,
        "coverage": {name: {**covered, "SizeRw": ""} for name, covered in settled.items()},
        "findings": [
            {**item, "message": ""} if item["code"] in writable_layer.MEASURED else item
            for item in plan["findings"]
            if item["severity"] != INFO or item["code"] not in writable_layer.MEASURED
        ],
    }
    # What is shown of them follows from them.
    steady["workloads"] = [{**workload, "shown": None} for workload in plan["workloads"]]
    canonical = json.dumps(steady, sort_keys=True, separators=(",", ":")).encode()
    return {**plan, "hash": hashlib.sha256(canonical).hexdigest()}


def _coverage(container: Json, known: Context) -> dict[str, str]:
    own_defaults = {"Config.Hostname": text(container.get("Id"))[:12]}
    return coverage.coverage(container, _ROWS["container"], {"Config": known.image_config(container)}, own_defaults)


def _container_findings(
    container: Json, covered: dict[str, dict[str, str]], known: Context, rules: Json
) -> list[Finding]:
    name = name_of(container)
    own = covered.get(name) or _coverage(container, known)
    found = coverage.findings(name, container, own, _ROWS["container"]) + container_findings(container, known, rules)
    if name in covered:
        covered[name] = coverage.with_findings(own, found)
    return found


def _document_findings(known: Context, moving: list[Json], rules: Json) -> list[Finding]:
    """The networks and volumes of the containers that move; what nobody uses stays where it is."""
    used_networks = {name for item in moving for name in networks_of(item)}
    used_volumes = {name for item in moving for name in grouping.volumes_of(item)}
    found = []
    for kind, used, documents, own_findings in (
        ("network", used_networks, known.networks, network_options.findings),
        ("volume", used_volumes, known.volumes, volume_options.findings),
    ):
        for name in sorted(used & set(documents)):
            covered = coverage.coverage(documents[name], _ROWS[kind], {}, {})
            found += coverage.findings(name, documents[name], covered, _ROWS[kind]) + own_findings(documents[name])
            found += secrets.resource_findings(documents[name], policies.secret_rules(rules), known.secrets)
    for name in sorted(used_networks & set(known.networks)):
        found += network_options.host_bridge(known.networks[name], mapping(known.host.get("bridge_ports")))
    return found
