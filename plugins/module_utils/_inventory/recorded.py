# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded inventory: reading it, comparing it, and what has moved since (private to the collection)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from .._common.json import Json
from .._plan.quadlet import is_text_of
from .._podman.units import services_of
from .._state.engine_state import EngineState
from .._state.records import StateError, read_json

# Parts of an inventory that change while nothing is changed: place ("*" is each item) -> keys that do not count.
VOLATILE: dict[str, list[str]] = {
    "": ["changes", "processes"],
    "host": [
        "filesystems", "listeners", "socket_readers", "docker_user", "bridge_ports", "bridge_rules", "saved_rules",
        "docker_units", "docker_crontabs",
    ],
    "engine.info": [
        "SystemTime", "NGoroutines", "NFd", "NEventsListener", "Images", "DriverStatus",
        "ContainersRunning", "ContainersPaused", "ContainersStopped",
    ],
    "containers.*": ["ExecIDs", "RestartCount", "SizeRootFs", "SizeRw"],
    "containers.*.State": [
        "Status", "Restarting", "OOMKilled", "Pid", "ExitCode", "Error", "StartedAt", "FinishedAt", "Health",
    ],
    "containers.*.NetworkSettings": [
        "SandboxID", "SandboxKey", "Ports", "EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen",
        "IPAddress", "IPPrefixLen", "IPv6Gateway", "MacAddress",
    ],
    "containers.*.NetworkSettings.Networks.*": [
        "NetworkID", "EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen",
        "IPAddress", "IPPrefixLen", "IPv6Gateway", "MacAddress", "DNSNames",
    ],
    "networks.*": ["Containers", "Status"],
    "volumes.*": ["Status", "UsageData"],
}  # fmt: skip


# What is read from the containers of a record without asking first.
_RECORDED = (
    ("Id", str), ("Name", str), ("Image", str), ("State", dict), ("Config", dict), ("NetworkSettings", dict),
)  # fmt: skip


def read_current(engine: EngineState, needed: bool) -> Json | None:
    """The recorded inventory of an engine; None when there is none and it is not ``needed``."""
    path = engine.inventory_path
    if path.exists():
        return read(path)
    if not needed:
        return None
    raise StateError(
        "{0} is missing, and it alone knows how the workloads ran that have moved to Podman. Restore it from a backup; "
        "nothing was changed.".format(path)
    )


def read(path: str | Path) -> Json:
    """A recorded inventory. Raises StateError when it is missing, damaged or lacks what every record holds."""
    document = read_json(path)
    try:
        whole = isinstance(document["engine"]["id"], str) and all(
            isinstance(item[key], kind) for item in document["containers"] for key, kind in _RECORDED
        )
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise StateError(
            "{0} is damaged: it is no whole inventory. Restore it from a backup, or move it away and assess the host "
            "again if none of its workloads has moved; nothing was changed.".format(path)
        )
    return document


def owned(moved: Sequence[Json], begun: Sequence[Json], installed: Mapping[str, str]) -> Json:
    """What on this host comes from workloads, by their records (precheck.look): names by kind, and ports. On another run these are
    no strangers.

    ``moved``: those that belong to Podman; all of them is theirs. ``begun``: those on their way, which may have left units:
    ``installed`` has the texts of those that are there.
    """
    units = {unit for item in moved for unit in item["units"]}
    units |= {unit for item in begun for unit in item["units"] if _is_ours(item, unit, installed)}
    both = [*moved, *begun]
    pods = {item["pod"] for item in both if item["pod"]}
    volumes = {one["name"] for item in moved for one in item["volumes"]}
    return {
        "units": set(services_of(units)),
        "containers": {one["name"] for item in both for one in item["containers"]} | {pod + "-infra" for pod in pods},
        "pods": pods,
        "networks": {one["name"] for item in both for one in item["networks"]},
        "ports": {(one["proto"], int(one["host_port"])) for item in moved for one in item["ports"]},
        # What is used in place, or has its data elsewhere, is only defined by its unit.
        "volumes": volumes.union(name for item in moved for text in item["units"].values() for name in _volumes(text)),
        "secrets": {one["name"] for item in moved for one in item["secrets"]},
    }


def _volumes(text: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith("VolumeName=")]


def _is_ours(record: Json, unit: str, installed: Mapping[str, str]) -> bool:
    return is_text_of(installed.get(unit), record["units"][unit])


def without(host: Json, mine: Json) -> Json:
    """The ``host`` part of an inventory without what is ``owned``."""
    podman = {key: _strange(value, mine.get(key)) for key, value in host["podman"].items()}
    ports = mine.get("ports", frozenset())
    listeners = [item for item in host["listeners"] if (item["proto"], item["port"]) not in ports]
    units = mine.get("units", frozenset())
    dependents = [item for item in host.get("docker_units", []) if item["name"] not in units]
    return {
        **host,
        "units": _strange(host["units"], units),
        "podman": podman,
        "listeners": listeners,
        "docker_units": dependents,
    }


def _strange(names: Any, mine: Any) -> Any:
    return [name for name in names if name not in mine] if mine else names


def same(one: Json, other: Json) -> bool:
    """True when two inventories differ in nothing but VOLATILE parts."""
    return bool(_stable(one) == _stable(other))


def _stable(node: Any, place: tuple[str, ...] = ()) -> Any:
    each = (*place, "*")
    if isinstance(node, list):
        return [_stable(item, each) for item in node]
    if not isinstance(node, dict):
        return node
    volatile = VOLATILE.get(".".join(place), ())
    is_collection = ".".join(each) in VOLATILE
    return {
        key: _stable(value, each if is_collection else (*place, key))
        for key, value in node.items()
        if key not in volatile
    }
