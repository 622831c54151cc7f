# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One workload of the plan (private to the collection)."""

from __future__ import annotations

import itertools
from typing import Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import (
    containers,
    image_names,
    order,
    resources,
    secrets,
    units,
    workloads,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import (
    policy as policies,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import name_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.context import Context, Services
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    INFO,
    Finding,
    Json,
    mapping,
    strings,
    text,
)


def name_of_group(group: Sequence[Json]) -> str:
    """The Compose project when it is exactly one, else the name of the first container."""
    projects = {workloads.project_of(container) for container in group if workloads.project_of(container)}
    return projects.pop() if len(projects) == 1 else min(name_of(container) for container in group)


def make(group: Sequence[Json], known: Context, services: Services, policy: Json) -> tuple[Json, list[Finding]]:
    """The plan's entry for a workload, and what the user should know about it."""
    name = name_of_group(group)
    readers = strings(known.host.get("socket_readers"))
    candidate = workloads.Candidate(group, known.listening, known.version, readers)
    grouping, reason = workloads.grouping(candidate, policies.grouping_of(policy, name))
    graph = order.dependencies(group)
    layers = order.layers(graph)
    position = {container: number for number, container in enumerate(itertools.chain(*layers))}
    members = sorted(group, key=lambda item: position[name_of(item)])
    networks = [
        resources.network(known.networks[network], known, services)
        for network in sorted({network for member in members for network in workloads.networks_of(member)})
    ]
    volumes = resources.volumes(members, known, services)
    layout = _layout(name, grouping, members, networks, volumes, graph, known, services, policy)
    entry = {
        "name": name,
        "grouping": grouping,
        "reason": reason,
        "project": workloads.project_of(members[0]) or None,
        "containers": [_member(member, layout, known) for member in members],
        "layers": layers,
        "services": _services(members, layout),
        "units": _units(members, layout, networks, volumes, known),
        "images": _images(members, layout, known),
        "volumes": [volume.entry for volume in volumes],
        "networks": [network.entry for network in networks],
        "ports": [{"container": owner, **port} for owner, published in layout.published.items() for port in published],
        "secrets": [secret for found in layout.secrets.values() for secret in found],
    }
    return entry, _notes(entry, layout)


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
) -> units.Layout:
    pod = services.choose(name, "-pod") if grouping == "pod" else ""
    return units.Layout(
        name=name,
        pod_file=pod and pod + ".pod",
        pod_service=pod and pod + "-pod.service",
        services={name_of(member): services.choose(name_of(member)) + ".service" for member in members},
        image_refs={name_of(member): _reference(member, known) for member in members},
        network_files={network.docker_name: network.file_name for network in networks},
        volume_files={volume.docker_name: volume.file_name for volume in volumes},
        graph=graph,
        published={name_of(member): containers.ports(member)[0] for member in members},
        secrets={
            name_of(member): secrets.secrets(member, known.image_config(member), policies.secret_rules(policy))
            for member in members
        },
    )


def _reference(container: Json, known: Context) -> str:
    typed = text(mapping(container.get("Config")).get("Image"))
    return image_names.reference(typed, known.images[text(container.get("Image"))])


def _member(container: Json, layout: units.Layout, known: Context) -> Json:
    timeout = mapping(container.get("Config")).get("StopTimeout")
    return {
        "name": name_of(container),
        "id": text(container.get("Id")),
        "service": layout.services[name_of(container)],
        "running": containers.is_running(container),
        "health": containers.has_health_check(mapping(container.get("Config"))),
        "stop_timeout": timeout if isinstance(timeout, int) else 10,
        "listening": known.listening.get(text(container.get("Id")), []),
    }


def _services(members: Sequence[Json], layout: units.Layout) -> list[str]:
    running = [layout.services[name_of(member)] for member in members if containers.is_running(member)]
    return ([layout.pod_service] if layout.pod_service and running else []) + running


def _units(
    members: Sequence[Json],
    layout: units.Layout,
    networks: list[resources.Resource],
    volumes: list[resources.Resource],
    known: Context,
) -> dict[str, str]:
    texts = {resource.file_name: resource.unit for resource in networks + volumes}
    for member in members:
        file_name = layout.services[name_of(member)][: -len(".service")] + ".container"
        texts[file_name] = units.container_unit(member, layout, known)
    if layout.pod_file:
        texts[layout.pod_file] = units.pod_unit(members, layout, known)
    return texts


def _images(members: Sequence[Json], layout: units.Layout, known: Context) -> list[Json]:
    found: dict[str, Json] = {}
    for member in members:
        source_id = text(member.get("Image"))
        document = known.images[source_id]
        found[source_id] = {
            "source_id": source_id,
            "names": image_names.names(document),
            "unit_ref": layout.image_refs[name_of(member)],
            "config_digest": None if known.has_containerd_store else source_id,
            "diff_ids": strings(mapping(document.get("RootFS")).get("Layers")),
            "size": document.get("Size"),
        }
    return [found[source_id] for source_id in sorted(found)]


def _notes(entry: Json, layout: units.Layout) -> list[Finding]:
    name, found = entry["name"], []
    if entry["grouping"] == "pod":
        message = "Its containers now share localhost: a service that trusts 127.0.0.1 trusts its neighbours."
        remedy = f"To keep them apart, set policy.projects.{name}.grouping: network."
        found.append(Finding(INFO, "pod-shares-localhost", name, "", message, remedy))
    for container, service in layout.services.items():
        if service != container + ".service":
            message = f"The host has a unit {container}.service; the unit is called {service}."
            found.append(Finding(INFO, "unit-renamed", container, "", message, "None needed."))
    return found
