# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What binds the whole host: the engine, its settings, and the Podman to come (private to the collection)."""

from __future__ import annotations

from ..._common.json import dig, mapping, strings, text
from .. import grouping
from .._documents import daemon
from .._documents.context import Context
from .._tables import options
from ..model import BLOCKER, INFO, WARNING, Finding
from . import host
from .user_namespace import shift


def findings(context: Context) -> list[Finding]:
    """What concerns the whole host."""
    return [
        *_engine_kind(context),
        *_listeners(context),
        *daemon.findings(context.engine),
        *_podman(context),
        *_systemd(context),
        *_missing(context),
        *_unused(context),
        *host.findings(context),
    ]


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
    modes = strings(info.get("SecurityOptions"))
    if "name=rootless" in modes:
        message, remedy = (
            "The engine runs without root.",
            "Leave it out; only engines that run as root can be migrated.",
        )
        found.append(_blocker("engine-mode", "info.SecurityOptions", message, remedy))
    unit = text(dig(context.engine, "config.unit"))
    if unit not in ("", "docker.service"):
        message = f"dockerd runs in {unit}; only docker.service can be stopped for good and brought back."
        remedy = "Run it with the docker.service and docker.socket of its package (drop-ins are fine)."
        found.append(_blocker("engine-unit", "config.unit", message, remedy))
    if "name=userns" in modes and shift(context) is None:
        message = "The engine maps user IDs, and its data root does not say which."
        remedy = "Make the inventory again; the folder ends in UID.GID."
        found.append(_blocker("engine-mode", "info.SecurityOptions", message, remedy))
    if text(info.get("OSType")) not in ("", "linux"):
        found.append(
            _blocker("not-linux", "info.OSType", "The engine runs other containers than Linux's.", "Leave it out.")
        )
    if text(info.get("CgroupVersion")) not in ("", "2"):
        remedy = "Boot with systemd.unified_cgroup_hierarchy=1; Quadlet needs cgroup v2."
        found.append(_blocker("cgroup-v1", "info.CgroupVersion", "The host has cgroup v1.", remedy))
    return found


# systemd's own, and the socket that podman-docker or a link can take over.
_USUAL_LISTENERS = ("", "fd://", "unix://", "unix:///var/run/docker.sock", "unix:///run/docker.sock")


def _listeners(context: Context) -> list[Finding]:
    given = daemon.settings(context.engine).get("hosts")
    hosts = strings(given) or [text(given)]
    others = sorted({host for host in hosts if host not in _USUAL_LISTENERS})
    if not others:
        return []
    message = f"Docker's API also listens on {', '.join(host[:80] for host in others)}, where nothing answers once Docker has gone."
    remedy = (
        "Have its clients ask podman.socket, which can listen there too (systemctl edit podman.socket), or accept it."
    )
    return [Finding(WARNING, "remote-api", "engine", "config.hosts", message, remedy)]


def _podman(context: Context) -> list[Finding]:
    if context.version >= options.OLDEST:
        return []
    wanted, found = (".".join(str(part) for part in version) for version in (options.OLDEST, context.version))
    message = f"Podman {found} is too old: Quadlet begins with {wanted}."
    return [_blocker("podman-too-old", "podman_version", message, "Use a release of the system with a newer Podman.")]


# systemd's NEWS: 240 has services of the type exec, 244 restarts those of the type oneshot, as the host's own help needs.
_OLDEST_SYSTEMD = 244


def _systemd(context: Context) -> list[Finding]:
    if context.systemd >= _OLDEST_SYSTEMD:
        return []
    message = (
        f"systemd {context.systemd} is too old: what brings an interrupted move to one side needs {_OLDEST_SYSTEMD}."
    )
    return [_blocker("systemd-too-old", "host.systemd", message, "Use a release of the system with a newer systemd.")]


# How many volumes a finding names.
_NAMED = 10
_CONSEQUENCES = {
    "engine": "settings of the daemon are not known",
    "images": "units repeat what the images say",
    "networks": "networks get other subnets",
    "volumes": "options of volumes are not known",
    "changes": "data in writable layers is not seen",
    "processes": "what listens on which port is not known",
    "host": "unit names may be taken",
}


def _missing(context: Context) -> list[Finding]:
    if not context.missing:
        return []
    parts = "; ".join(f"{part} ({_CONSEQUENCES[part]})" for part in context.missing)
    message = f"The inventory does not have: {parts}."
    remedy = "For the whole plan make the inventory with the role assess on the host."
    return [Finding(INFO, "partial-inventory", "engine", "", message, remedy)]


def _unused(context: Context) -> list[Finding]:
    used = {name for container in context.containers for name in grouping.volumes_of(container)}
    left = sorted(set(context.volumes) - used)
    if not left:
        return []
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    message = "No container uses the volumes {}{}; they are not copied.".format(", ".join(left[:_NAMED]), more)
    remedy = "They stay in Docker's data root; copy what is needed of them before that is deleted."
    return [Finding(INFO, "unused-volumes", "engine", "volumes", message, remedy)]
