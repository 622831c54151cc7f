# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What binds the whole host: the engine, its settings, and the Podman to come (private to the collection)."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import options
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.context import Context
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    BLOCKER,
    Finding,
    dig,
    mapping,
    strings,
    text,
)

HANDLED_DAEMON_OPTIONS = {
    "registry-mirrors": "role registries",
    "insecure-registries": "role registries",
    "data-root": "the inventory says where volumes are",
    "log-driver": "stands in each container",
    "log-opts": "stands in each container",
    "default-shm-size": "stands in each container",
    "default-runtime": "stands in each container",
    "default-ipc-mode": "stands in each container",
    "default-cgroupns-mode": "stands in each container",
    "default-address-pools": "subnets stand in each network",
    "default-network-opts": "stands in each network",
    "storage-driver": "how Docker stores its images",
    "storage-opts": "how Docker stores its images",
    "exec-opts": "how Docker drives its runtime",
    "features": "of the daemon itself",
    "hosts": "of the daemon itself",
    "debug": "of the daemon itself",
    "log-level": "of the daemon itself",
    "live-restore": "of the daemon itself",
    "shutdown-timeout": "of the daemon itself",
    "experimental": "of the daemon itself",
    "metrics-addr": "of the daemon itself",
    "containerd": "of the daemon itself",
    "pidfile": "of the daemon itself",
    "exec-root": "of the daemon itself",
    "group": "of the daemon itself",
    "max-concurrent-downloads": "of the daemon itself",
    "max-concurrent-uploads": "of the daemon itself",
}
"""Settings of daemon.json that change nothing for a container, with the reason; any other is a blocker."""

_FLAG_NAMES = {
    "-H": "hosts",
    "--host": "hosts",
    "-D": "debug",
    "-l": "log-level",
    "-p": "pidfile",
    "-G": "group",
    "-g": "data-root",
    "-s": "storage-driver",
    "--registry-mirror": "registry-mirrors",
    "--insecure-registry": "insecure-registries",
    "--exec-opt": "exec-opts",
    "--log-opt": "log-opts",
    "--storage-opt": "storage-opts",
}
"""Flags whose name differs from the key in daemon.json."""


def findings(context: Context) -> list[Finding]:
    """Blockers that bind the whole host."""
    return [*_engine_kind(context), *_daemon_options(context), *_podman(context)]


def _blocker(code: str, path: str, message: str, remedy: str) -> Finding:
    return Finding(BLOCKER, code, "engine", path, message, remedy)


def _engine_kind(context: Context) -> list[Finding]:
    info = mapping(context.engine.get("info"))
    found = []
    if dig(info, "Swarm.LocalNodeState") not in (None, "", "inactive"):
        remedy = "Turn its services into plain containers and leave the swarm first."
        found.append(
            _blocker("swarm", "info.Swarm", "The engine is part of a swarm, which Podman does not have.", remedy)
        )
    for option in strings(info.get("SecurityOptions")):
        if option in ("name=rootless", "name=userns"):
            message = f"The engine runs with {option[5:]}, which is not translated yet."
            remedy = "Leave this host out; only a Docker that runs as root without user namespaces can be migrated."
            found.append(_blocker("engine-mode", "info.SecurityOptions", message, remedy))
    if text(info.get("OSType")) not in ("", "linux"):
        found.append(_blocker("not-linux", "info.OSType", "The engine runs other containers than Linux's.", "None."))
    if text(info.get("CgroupVersion")) not in ("", "2"):
        remedy = "Boot with systemd.unified_cgroup_hierarchy=1; Quadlet needs cgroup v2."
        found.append(_blocker("cgroup-v1", "info.CgroupVersion", "The host has cgroup v1.", remedy))
    return found


def _daemon_options(context: Context) -> list[Finding]:
    config = mapping(dig(context.engine, "config.daemon_json"))
    names = {name: "config.daemon_json." + name for name, value in config.items() if value not in (None, "", [], {})}
    for flag in strings(dig(context.engine, "config.flags")):
        name = flag.split("=", 1)[0]
        if name.startswith("-"):
            names[_FLAG_NAMES.get(name, name.lstrip("-"))] = "config.flags." + name
    message = "The daemon's setting {0} changes what containers get, and this version does not translate it yet."
    remedy = "Set it for each container instead, or remove it, and assess again."
    return [
        _blocker("daemon-option", path, message.format(name), remedy)
        for name, path in sorted(names.items())
        if name not in HANDLED_DAEMON_OPTIONS
    ]


def _podman(context: Context) -> list[Finding]:
    if context.version >= options.OLDEST:
        return []
    wanted, found = (".".join(str(part) for part in version) for version in (options.OLDEST, context.version))
    message = f"Podman {found} is too old; units are planned for {wanted} and newer."
    return [_blocker("podman-too-old", "podman_version", message, "Use a release of the system with a newer Podman.")]
