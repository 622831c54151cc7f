# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One workload of the plan (private to the collection)."""

from __future__ import annotations

import itertools
from typing import NamedTuple, Sequence

from .._common.json import Json, mapping, strings, text
from . import grouping as workloads
from . import order, resources
from . import policy as policies
from ._documents import image_names
from ._documents.containers import is_on_default_bridge, is_running, links_of, name_of, networks_of, project_of
from ._documents.context import Context, Services
from ._tables import options
from ._topics import commits, ports, process, put_files, restart, secrets
from ._topics.networking import link_aliases
from .container_unit import Layout, container_unit, image_reference
from .model import INFO, WARNING, Finding
from .pod_unit import pod_unit
from .unit_file import Unit


class Made(NamedTuple):
    """The plan's entry for a workload, its units before they are written, and what the user should know about it."""

    entry: Json
    units: list[Unit]
    findings: list[Finding]


def name_of_group(group: Sequence[Json]) -> str:
    """The Compose project when it is exactly one, else the name of the first container."""
    projects = {project_of(container) for container in group if project_of(container)}
    return projects.pop() if len(projects) == 1 else min(name_of(container) for container in group)


def is_project(group: Sequence[Json]) -> bool:
    """True for the containers of exactly one Compose project."""
    projects = {project_of(container) for container in group}
    return len(projects) == 1 and "" not in projects


def make(name: str, group: Sequence[Json], known: Context, services: Services, policy: Json) -> Made:
    """Plan a workload. Raises PlanError when a value cannot be carried by any unit."""
    readers = strings(known.host.get("socket_readers"))
    candidate = workloads.Candidate(group, known.listening, known.version, readers)
    grouping, reason = workloads.grouping(candidate, policies.choice(policy, "grouping", name))
    graph = order.dependencies(group, known.names)
    layers = order.layers(graph)
    position = {container: number for number, container in enumerate(itertools.chain(*layers))}
    members = sorted(group, key=lambda item: position[name_of(item)])
    networks, volumes = _networks(name, members, known, services), resources.volumes(members, known, services, policy)
    layout = _layout(name, grouping, members, networks, volumes, graph, known, services, policy)
    drafts = [resource.unit for resource in networks + volumes if resource.unit]
    drafts += [container_unit(member, layout, known) for member in members]
    drafts += [pod_unit(members, layout, known)] if layout.pod_file else []
    published = [(name_of(member), ports.published(member).ports) for member in members]
    entry = {
        "name": name,
        "grouping": grouping,
        "pod": layout.pod or None,
        "reason": reason,
        "project": project_of(members[0]) or None,
        "containers": [_member(member, layout, known) for member in members],
        "layers": layers,
        "services": _services(members, layout),
        "units": {name: text for draft in drafts for name, text in draft.files(known.version).items()},
        "images": _images(members, known),
        "commits": [
            commits.entry(member, image_reference(member, known), known)
            for member in members
            if name_of(member) in known.committed
        ],
        "volumes": [volume.entry for volume in volumes],
        "networks": [network.entry for network in networks],
        "ports": [{"container": owner, **port} for owner, found in published for port in found],
        "secrets": [secret for found in layout.secrets.values() for secret in found],
    }
    return Made(entry, drafts, _notes(entry, layout, known))


def _networks(name: str, members: Sequence[Json], known: Context, services: Services) -> list[resources.Resource]:
    used = sorted({network for member in members for network in networks_of(member)})
    found = [resources.network(known.networks[network], known, services) for network in used]
    is_linked = any(links_of(member) and is_on_default_bridge(member) for member in members)
    return [*found, resources.link_network(name, known, services)] if is_linked else found


def _layout(
    name: str,
    grouping: str,
    members: Sequence[Json],
    networks: list[resources.Resource],
    volumes: list[resources.Resource],
    graph: dict[str, dict[str, str]],
    known: Context,
    services: Services,
    policy: Json,
) -> Layout:
    pod = services.choose(name, "-pod") if grouping == "pod" else ""
    rules = policies.secret_rules(policy)
    return Layout(
        name=name,
        pod=_pod_name(name, known) if pod else "",
        pod_file=pod and pod + ".pod",
        pod_service=pod and pod + "-pod.service",
        services={name_of(member): services.choose(name_of(member)) + ".service" for member in members},
        network_files=resources.files(networks),
        volume_files=resources.files(volumes),
        aliases=link_aliases(members, known.names),
        graph=graph,
        secrets={
            name_of(item): [
                *secrets.secrets(item, known.image_config(item), rules, known.secrets),
                *put_files.carried(item, known, policy),
            ]
            for item in members
        },
        rules=policy,
    )


def _pod_name(name: str, known: Context) -> str:
    """The project's name; pods and containers share one set of names in Podman."""
    while name in known.by_name or name in known.podman_names("containers", "pods"):
        name += "-pod"
    return name


def _member(container: Json, layout: Layout, known: Context) -> Json:
    timeout = mapping(container.get("Config")).get("StopTimeout")
    return {
        "name": name_of(container),
        "id": text(container.get("Id")),
        "service": layout.services[name_of(container)],
        "running": is_running(container),
        "restart": restart.written(container),
        "health": process.has_health_check(mapping(container.get("Config"))),
        "stop_timeout": timeout if isinstance(timeout, int) else 10,
        "listening": known.listening.get(text(container.get("Id")), []),
    }


def _services(members: Sequence[Json], layout: Layout) -> list[str]:
    running = [layout.services[name_of(member)] for member in members if is_running(member)]
    return ([layout.pod_service] if layout.pod_service and running else []) + running


def _images(members: Sequence[Json], known: Context) -> list[Json]:
    found: dict[str, Json] = {}
    for member in members:
        source_id = text(member.get("Image"))
        document = known.images[source_id]
        found[source_id] = {
            "source_id": source_id,
            "names": image_names.names(document),
            "digests": image_names.digests(document),
            "unit_ref": image_reference(member, known),
            "config_digest": known.config_digest(source_id) or None,
            "diff_ids": strings(mapping(document.get("RootFS")).get("Layers")),
            "size": document.get("Size"),
        }
    return [found[source_id] for source_id in sorted(found)]


def _notes(entry: Json, layout: Layout, known: Context) -> list[Finding]:
    name, found = entry["name"], []
    if entry["grouping"] == "pod":
        message = "Its containers now share localhost: a service that trusts 127.0.0.1 trusts its neighbours."
        remedy = f"To keep them apart, set policy.projects.{name}.grouping: network."
        found.append(Finding(INFO, "pod-shares-localhost", name, "", message, remedy))
    if entry["grouping"] == "network" and known.version < options.PODS:
        remedy = "None needed; with Podman 5.0 or newer a Compose project can become a pod."
        found.append(Finding(INFO, "no-pods", name, "podman_version", entry["reason"], remedy))
    if entry["grouping"] == "network" and policies.choice(layout.rules, "grouping", name) == "pod":
        message = f"The policy wants a pod, which it cannot become: {entry['reason']}"
        remedy = f"Change that, or set policy.projects.{name}.grouping: auto."
        found.append(Finding(WARNING, "no-pod", name, "policy.grouping", message, remedy))
    awaited = [needs for needs in layout.graph.values() if order.HEALTHY in needs.values()]
    if awaited and known.version < options.NOTIFY_HEALTHY:
        message = "This Podman cannot hold a start back until a container is healthy; they start one after the other."
        found.append(Finding(INFO, "no-healthy-order", name, "podman_version", message, "None needed."))
    if name not in (entry["project"], *(member["name"] for member in entry["containers"])):
        message = f"Another workload has its name; it is called {name}."
        found.append(Finding(INFO, "workload-renamed", name, "", message, "None needed."))
    for container, service in layout.services.items():
        if service != container + ".service":
            message = f"The host has a unit {container}.service; the unit is called {service}."
            found.append(Finding(INFO, "unit-renamed", container, "", message, "None needed."))
    return found
