# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of containers and pods (private to the collection)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import (
    containers,
    options,
    order,
    quadlet,
    resources,
    workloads,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import name_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.context import Context
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import Json, dig, mapping, text
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.options import START_WITH_POD, Setting

_INSTALL = {"Install": [("WantedBy", "multi-user.target")]}

PARITY_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_MKNOD", "CAP_NET_RAW")
"""In Docker's default set and not in Podman's (facts, section 4)."""
PARITY_SYSCTLS = ("net.ipv4.ip_unprivileged_port_start=0", "net.ipv4.ping_group_range=0 2147483647")
"""Docker sets these in every network namespace of its own; Podman narrows the second and not the first."""


@dataclass(frozen=True)
class Layout:
    """How the containers of one workload hang together, by container name where it is a mapping."""

    name: str
    pod_file: str
    pod_service: str
    services: Mapping[str, str]
    image_refs: Mapping[str, str]
    network_files: Mapping[str, str]
    volume_files: Json
    graph: Mapping[str, Mapping[str, str]]
    published: Mapping[str, list[dict[str, Any]]]
    secrets: Mapping[str, list[Json]]


def container_unit(container: Json, layout: Layout, context: Context) -> str:
    """The .container unit: what the user set, Docker's defaults where Podman's differ, nothing of the image's."""
    name = name_of(container)
    config, image = mapping(container.get("Config")), context.image_config(container)
    settings: list[Setting] = [("image", layout.image_refs[name]), ("name", name), ("pull", "never")]
    settings += _place(container, layout, context)
    settings += containers.command(config, image)
    settings += containers.identity(config, image)
    settings += containers.environment(config, image, layout.secrets[name])
    settings += containers.labels(config.get("Labels"), image.get("Labels"))
    settings += resources.mounts(container, layout.volume_files)
    settings += containers.health(config)
    settings += [("cap_add", capability) for capability in PARITY_CAPABILITIES]
    settings += [("pids_limit", str(dig(container, "HostConfig.PidsLimit") or -1))]
    awaited = _is_awaited_healthy(name, layout) and containers.has_health_check(config)
    settings += [("notify", "healthy")] if awaited else []
    sections = {
        "Unit": _order(container, layout, context),
        "Container": options.lines("Container", settings, context.version),
        "Service": containers.restart(container) + _timeouts(config, awaited),
    }
    if not layout.pod_file and containers.starts_at_boot(container):
        sections.update(_INSTALL)
    return quadlet.render(sections)


def _is_awaited_healthy(name: str, layout: Layout) -> bool:
    return any(needs.get(name) == order.HEALTHY for needs in layout.graph.values())


def _timeouts(config: Json, awaited: bool) -> list[tuple[str, str]]:
    """Docker never killed a service for recovering slowly, and waited as long as the stop timeout says."""
    stop = config.get("StopTimeout")
    lines = [("TimeoutStartSec", "infinity")] if awaited else []
    return lines + ([("TimeoutStopSec", str(stop + 30))] if isinstance(stop, int) and stop > 0 else [])


def _place(container: Json, layout: Layout, context: Context) -> list[Setting]:
    """Where the container lives: in the pod, or on networks of its own with ports of its own."""
    name = name_of(container)
    if layout.pod_file:
        late = context.version >= START_WITH_POD and not containers.starts_at_boot(container)
        return [("pod", layout.pod_file)] + ([("start_with_pod", "false")] if late else [])
    primary = text(dig(container, "HostConfig.NetworkMode"))
    settings: list[Setting] = []
    for network in sorted(workloads.networks_of(container), key=lambda item: item != primary):
        aliases = ",".join("alias=" + alias for alias in resources.endpoint_aliases(container, network))
        settings.append(("network", layout.network_files[network] + (":" + aliases if aliases else "")))
    settings = settings or [("network", "podman")]
    settings += [("sysctl", sysctl) for sysctl in PARITY_SYSCTLS]
    return settings + [containers.publish(port) for port in layout.published[name]]


def _order(container: Json, layout: Layout, context: Context) -> list[tuple[str, str]]:
    """Compose's order. Never Requires=: one restart would take the neighbours down (facts, section 6)."""
    name = name_of(container)
    by_name = {name_of(other): other for other in context.containers}
    needs = [other for other in sorted(layout.graph.get(name, {})) if other in layout.services]
    lines = [("Description", quadlet.unexpanded(f"{name}, moved from Docker"))]
    lines += [("After", layout.services[other]) for other in needs]
    lines += [("Wants", layout.services[other]) for other in needs if containers.starts_at_boot(by_name[other])]
    return lines + containers.start_limit(container)


def pod_unit(members: Sequence[Json], layout: Layout, context: Context) -> str:
    """The .pod unit: the ports, networks and names of all members; it shares the network and nothing else."""
    networks = sorted(layout.network_files)
    names = {name_of(member) for member in members}
    for member in members:
        for network in networks:
            names.update(resources.endpoint_aliases(member, network))
    settings: list[Setting] = [("name", layout.name), ("share", "net"), ("exit_policy", "continue")]
    settings += [("network", layout.network_files[network]) for network in networks]
    settings += [("alias", name) for name in sorted(names)]
    settings += [("add_host", name + ":127.0.0.1") for name in sorted(names)]
    settings += [("sysctl", sysctl) for sysctl in PARITY_SYSCTLS]
    settings += [containers.publish(port) for member in members for port in layout.published[name_of(member)]]
    sections = {
        "Unit": [("Description", quadlet.unexpanded(f"{layout.name}, moved from Docker"))],
        "Pod": options.lines("Pod", settings, context.version),
    }
    if any(containers.starts_at_boot(member) for member in members):
        sections.update(_INSTALL)
    return quadlet.render(sections)
