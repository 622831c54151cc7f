# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The .container units of a workload (private to the collection)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from .._common.json import Json, dig, mapping, text
from . import fields, order, policy
from ._documents import image_names
from ._documents.containers import name_of, network_mode, project_of
from ._documents.context import Context
from ._tables import options
from ._tables.container_fields import CONTAINER
from ._tables.options import START_WITH_POD, Setting
from ._topics import (
    datagrams,
    limits,
    logs,
    mounts,
    networking,
    ports,
    process,
    put_files,
    restart,
    security,
    user_namespace,
)
from ._topics.restart import runs_from_boot, starts_at_boot
from .quadlet import Line, unexpanded
from .unit_file import Unit

UNIT_DIR = "/etc/containers/systemd"
SECCOMP, CONFIGURATION, MARK = ".seccomp.json", ".containers.conf", ".dockerenv"
"""Endings of the files that a unit refers to."""
POD_OPTIONS = ("publish", "add_host")
"""Options of members that belong to the pod, which owns the network namespace."""
START: Line = ("TimeoutStartSec", "900")
"""When many start at a boot, systemd's 90 s are too short for each on a slow host, and killed they all begin again. Docker
waits for ever; here one that hangs is tried again."""


@dataclass(frozen=True)
class Layout:
    """How the containers of one workload hang together, by container name where it is a mapping."""

    name: str
    pod: str
    pod_file: str
    pod_service: str
    services: Mapping[str, str]
    network_files: Mapping[str, str]
    volume_files: Mapping[str, str]
    aliases: Mapping[str, list[str]]
    graph: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, list[Json]]
    rules: Json


def container_unit(container: Json, layout: Layout, known: Context) -> Unit:
    """What the user set, Docker's defaults where Podman's differ, nothing of the image's."""
    name, config = name_of(container), mapping(container.get("Config"))
    notifies = _notifies(name, layout, known)
    awaited = _awaited(name, layout, known)
    image = known.committed.get(name) or image_reference(container, known)
    # Podman would take a command like /sbin/init for systemd, and give it mounts and a stop signal that Docker does not.
    settings: list[Setting] = [("image", image), ("name", name), ("pull", "never"), ("systemd", "false")]
    settings += _member(container, layout, known) if layout.pod_file else _alone(container, layout, known)
    settings += [("notify", "healthy")] if notifies else []
    base = layout.services[name][: -len(".service")]
    companions = {base + ending: content for ending, content in _companions(container, layout, known).items()}
    settings += [("seccomp", f"{UNIT_DIR}/{name}") for name in companions if name.endswith(SECCOMP)]
    settings += [("volume", f"{UNIT_DIR}/{name}:{mounts.MARK}:ro") for name in companions if name.endswith(MARK)]
    return Unit(
        base + ".container",
        "Container",
        settings,
        unit=_order(container, layout, known),
        service=[
            *[
                ("Environment", f"CONTAINERS_CONF_OVERRIDE={UNIT_DIR}/{name}")
                for name in companions
                if name.endswith(CONFIGURATION)
            ],
            *restart.service_lines(container, known.systemd),
            *limits.slice_lines(container),
            *[("ExecStartPre", f"-/usr/bin/podman wait --condition=healthy {other}") for other in awaited],
            *_timeouts(config, notifies or bool(awaited)),
            *([] if layout.pod_file else datagrams.service_lines(ports.published(container).ports)),
        ],
        # A pod starts its members, now as well as at a boot.
        is_wanted=starts_at_boot(container) and not (layout.pod_file and runs_from_boot(container)),
        companions=companions,
    )


def _companions(container: Json, layout: Layout, known: Context) -> dict[str, str]:
    """The files that the unit refers to, by the ending of their names."""
    hardened = policy.is_hardened(layout.rules, project_of(container), name_of(container))
    profile = security.own_profile(container)
    configuration = security.configuration(container, hardened, known.version)
    return {
        **({SECCOMP: profile + "\n"} if profile else {}),
        **({CONFIGURATION: configuration} if configuration else {}),
        **({} if mounts.has_mark(container) else {MARK: ""}),
    }


def image_reference(container: Json, known: Context) -> str:
    """What the unit calls the image."""
    typed = text(dig(container, "Config.Image"))
    number = text(container.get("Image"))
    return image_names.reference(typed, known.images.get(number, {}), known.config_digest(number))


def own_settings(container: Json, layout: Layout, known: Context) -> list[Setting]:
    """All that the container has, wherever it will be written."""
    name, config, image = name_of(container), mapping(container.get("Config")), known.image_config(container)
    hardened = policy.is_hardened(layout.rules, project_of(container), name)
    return [
        *process.command(config, image),
        *process.identity(container, image),
        *process.environment(config, image, layout.secrets[name]),
        *put_files.settings(layout.secrets[name]),
        *process.labels(config.get("Labels"), image.get("Labels")),
        *process.health(config),
        *mounts.settings(container, layout.volume_files),
        *mounts.working_directory(container, known.changes.get(text(container.get("Id")), {})),
        *ports.settings(container),
        *ports.exposed(container, image),
        *fields.settings(container, CONTAINER),
        *networking.shared(container, known.names),
        *networking.sysctls(container, hardened),
        *security.settings(container, hardened, known.version),
        *limits.settings(container, known.limits_of(container), hardened),
        *logs.settings(container, policy.choice(layout.rules, "logs", project_of(container), name)),
    ]


def _alone(container: Json, layout: Layout, known: Context) -> list[Setting]:
    """With networks and ports of its own."""
    left_out = networking.OF_THE_OTHER if network_mode(container)[0] == "container" else ()
    networks = networking.settings(container, layout.network_files, layout.aliases, layout.services, known)
    maps = user_namespace.settings(known, container)
    return networks + maps + [item for item in own_settings(container, layout, known) if item[0] not in left_out]


def _member(container: Json, layout: Layout, known: Context) -> list[Setting]:
    """In the pod, which owns the network namespace."""
    late = known.version >= START_WITH_POD and not runs_from_boot(container)
    own = [item for item in own_settings(container, layout, known) if not is_of_pod(item) and item[0] != "expose"]
    return [("pod", layout.pod_file), *([("start_with_pod", "false")] if late else []), *own]


def is_of_pod(setting: Setting) -> bool:
    return setting[0] in POD_OPTIONS or (setting[0] == "sysctl" and setting[1].startswith("net."))


def _notifies(name: str, layout: Layout, known: Context) -> bool:
    """Whether its start lasts until it is healthy: all that wait for it have asked for that."""
    asked = {needs[name] for needs in layout.graph.values() if name in needs}
    return asked == {order.HEALTHY} and _can_be_awaited(name, known)


def _awaited(name: str, layout: Layout, known: Context) -> list[str]:
    """The containers for whose health this one waits itself, because others wait for their start alone.

    A health check may need those (Compose: each dependency has a condition of its own). One that is not there is not
    waited for.
    """
    needs = sorted(layout.graph.get(name, {}).items())
    asked = [other for other, condition in needs if condition == order.HEALTHY and _can_be_awaited(other, known)]
    return [other for other in asked if not _notifies(other, layout, known)]


def _can_be_awaited(name: str, known: Context) -> bool:
    container = known.by_name.get(name, {})
    return known.version >= options.NOTIFY_HEALTHY and process.has_health_check(mapping(container.get("Config")))


def _timeouts(config: Json, notifies: bool) -> list[Line]:
    """Docker never killed a service for recovering slowly, and waited as long as the stop timeout says."""
    stop = config.get("StopTimeout")
    lines = [("TimeoutStartSec", "infinity")] if notifies else [START]
    if not isinstance(stop, int):
        return lines
    return [*lines, ("TimeoutStopSec", "infinity" if stop < 0 else str(stop + 30))]


def _order(container: Json, layout: Layout, known: Context) -> list[Line]:
    """Compose's order. Never Requires=: one restart would take the neighbours down (facts, section 6).

    What lives in another container's namespace cannot outlive it, and starts again with it.
    """
    name = name_of(container)
    parents = [other for other in networking.parents(container, known.names) if other in layout.services]
    needs = [other for other in sorted(layout.graph.get(name, {})) if other in layout.services and other not in parents]
    lines = [("Description", unexpanded(f"{name}, moved from Docker"))]
    lines += [("After", layout.services[other]) for other in [*needs, *parents]]
    lines += [("Wants", layout.services[other]) for other in needs if runs_from_boot(known.by_name[other])]
    lines += [(key, layout.services[other]) for other in parents for key in ("BindsTo", "PartOf")]
    if mounts.uses_docker_socket(container):
        lines += [("After", "podman.socket"), ("Wants", "podman.socket")]
    return [
        *lines,
        *mounts.mount_points(container, layout.volume_files, known.data_root),
        *restart.unit_lines(container),
    ]
