# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan has to know about the host itself (private to the collection)."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Iterable

from .._common.command import CommandError, run
from .._common.files import text_of
from .._docker.daemons import system_unit
from .._host import bridges
from .._host.processes import Processes, host_listeners, read_processes
from .._network import host_rules, iptables, user_rules
from . import dependents

GRAPH_ROOT = "/var/lib/containers"
DAEMON_JSON = "/etc/docker/daemon.json"

_DOCKERS_LINKS = ("docker", "br-", "veth")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
# Units that are made while the system runs come and go and bind no name.
_TRANSIENT = "/run/systemd/transient"
_UNIT = re.compile(r"[^/]+\.(?:service|socket|target|mount|automount|swap|timer|path|slice|scope|device)\Z")
_SECONDS = 60
# A repository that is out of reach should delay an assessment, not stop it.
_CANDIDATE_SECONDS = 120

# What lists the objects of a kind, one name a line.
_PODMAN_LISTS = {
    "containers": ["ps", "--all", "--format", "{{.Names}}"],
    "pods": ["pod", "ps", "--format", "{{.Name}}"],
    "networks": ["network", "ls", "--format", "{{.Name}}"],
    "volumes": ["volume", "ls", "--format", "{{.Name}}"],
    "secrets": ["secret", "ls", "--format", "{{.Name}}"],
}

# Which Podman the package manager would install: program, its arguments, what to find in its answer.
_CANDIDATES = (
    ("apt-cache", ["policy", "podman"], re.compile(r"^ +Candidate: (\S+)", re.MULTILINE)),
    ("dnf", ["-q", "repoquery", "--latest-limit=1", "--qf", "%{version}\n", "podman"], re.compile(r"^(\d\S*)", re.M)),
)
_UPSTREAM = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)+)")


class HostError(Exception):
    """A file of the host cannot be understood. The message names it and says what to do."""


def host_facts(processes: Processes, socket: str, data_root: str, proc: str = "/proc") -> dict[str, Any]:
    """The ``host`` part of an inventory, but for the containers among its ``socket_readers``."""
    folders = run(["systemd-analyze", "unit-paths"], timeout=_SECONDS).stdout.split()
    tables = {family: iptables.read(family) for family in iptables.FAMILIES}
    return {
        "units": unit_names(folders),
        "systemd": first_number(run(["systemctl", "--version"], timeout=_SECONDS).stdout),
        "cgroup": 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        "selinux": {"0": "permissive", "1": "enforcing"}.get(_word("/sys/fs/selinux/enforce"), "disabled"),
        "apparmor": _word("/sys/module/apparmor/parameters/enabled") == "Y",
        "ipv6": bool(global_addresses(text_of(Path(proc, "1/net/if_inet6")))),
        "podman": podman_facts(),
        "listeners": host_listeners(processes, proc),
        "filesystems": [space(path) for path in dict.fromkeys((existing(data_root), existing(GRAPH_ROOT)))],
        "socket_readers": socket_clients(socket),
        "docker_user": user_rules.found(tables),
        "bridge_rules": host_rules.found(tables),
        "saved_rules": host_rules.saved(),
        "docker_units": dependents.units([folder for folder in folders if folder != _TRANSIENT]),
        "docker_crontabs": dependents.crontabs(),
        "bridge_ports": bridges.ports() if shutil.which("ip") else {},
    }


def engine_config(processes: Processes, socket: str, proc: str = "/proc") -> dict[str, Any]:
    """How dockerd was told to run: ``{socket, flags, daemon_json, environment, unit}``; of the environment only proxies.

    ``unit`` is the system's unit that it runs in, "" when that is not known.
    """
    pid = daemon_pid(processes, text_of(Path(proc, "1/net/unix")), socket)
    flags = [] if pid is None else _fields(Path(proc, str(pid), "cmdline"))[1:]
    environment = [] if pid is None else _fields(Path(proc, str(pid), "environ"))
    group = None if pid is None else processes[pid].cgroup
    return {
        "socket": os.path.realpath(socket),
        "flags": flags,
        "daemon_json": read_daemon_json(flag_value(flags, "--config-file") or DAEMON_JSON),
        "environment": proxies(environment),
        "unit": system_unit(group[1]) if group else "",
    }


def global_addresses(table: str) -> list[str]:
    """Interfaces with an IPv6 address that others reach, by /proc/net/if_inet6 (address, number, length, scope, flags,
    name); those of Docker's own bridges do not count."""
    rows = (line.split() for line in table.splitlines())
    return [row[5] for row in rows if len(row) == 6 and row[3] == "00" and not row[5].startswith(_DOCKERS_LINKS)]


def daemon_pid(processes: Processes, unix_table: str, socket: str) -> int | None:
    """The dockerd that listens on ``socket``, by /proc/net/unix; systemd may hold the same socket for it."""
    inodes = {
        int(fields[6])
        for fields in (line.split(None, 7) for line in unix_table.splitlines()[1:])
        if len(fields) == 8 and same_socket(fields[7], socket)
    }
    holders = (pid for pid, process in sorted(processes.items()) if inodes & process.sockets)
    return next((pid for pid in holders if processes[pid].name == "dockerd"), None)


def is_served(socket: str, proc: str = "/proc") -> bool:
    """Whether a dockerd holds the socket: to connect to one that systemd holds would start it."""
    return daemon_pid(read_processes(proc), text_of(Path(proc, "1/net/unix")), socket) is not None


def same_socket(one: str, other: str) -> bool:
    """/var/run is a link to /run: compare what paths mean."""
    return os.path.realpath(one) == os.path.realpath(other)


def flag_value(flags: list[str], name: str) -> str | None:
    """The value of ``--name=value`` or ``--name value``."""
    for flag, following in zip(flags, [*flags[1:], ""]):
        if flag == name:
            return following
        if flag.startswith(name + "="):
            return flag[len(name) + 1 :]
    return None


def proxies(environment: Iterable[str]) -> dict[str, str]:
    """The proxy variables among ``NAME=value`` strings."""
    pairs = (item.partition("=") for item in environment)
    return {name: value for name, _equals, value in pairs if name.upper() in _PROXIES}


def read_daemon_json(path: str) -> dict[str, Any]:
    """dockerd's configuration file, {} when there is none. HostError when it cannot be understood."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        document = json.loads(text) if text.strip() else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise HostError("{0} cannot be read ({1}); repair it, then run this again.".format(path, error)) from None
    if not isinstance(document, dict):
        raise HostError("{0} holds no JSON object; repair it, then run this again.".format(path))
    return document


def unit_names(folders: Iterable[str]) -> list[str]:
    """The unit files in systemd's unit path, as ``systemctl list-unit-files`` has them.

    A loaded systemd takes longer to list them than its own clients wait for an answer (25 s).
    """
    present = [folder for folder in folders if folder != _TRANSIENT and os.path.isdir(folder)]
    return sorted({name for folder in present for name in os.listdir(folder) if _UNIT.match(name)})


def first_number(text: str) -> int:
    """``systemd 257 (257.5-2)`` -> 257; 0 when there is none."""
    found = re.search(r"\d+", text)
    return int(found.group()) if found else 0


def upstream_version(package: str) -> str | None:
    """``5:5.4.2+ds1-2+b1`` -> ``5.4.2``; None for ``(none)``."""
    found = _UPSTREAM.match(package)
    return found.group(1) if found else None


def podman_facts() -> dict[str, Any]:
    """The versions ``installed`` and ``candidate`` (None: there is none) and the names of all objects, by kind."""
    facts: dict[str, Any] = {"installed": None, "candidate": podman_candidate(), **{kind: [] for kind in _PODMAN_LISTS}}
    if shutil.which("podman"):
        facts["installed"] = upstream_version(run(["podman", "--version"], timeout=_SECONDS).stdout.split()[-1])
        for kind, arguments in _PODMAN_LISTS.items():
            facts[kind] = sorted(run(["podman", *arguments], timeout=_SECONDS).stdout.split())
    return facts


def podman_candidate() -> str | None:
    """The version that the host's package manager would install; None when it has none or cannot say."""
    for program, arguments, pattern in _CANDIDATES:
        if shutil.which(program):
            try:
                found = pattern.search(run([program, *arguments], timeout=_CANDIDATE_SECONDS).stdout)
            except CommandError:
                return None
            return upstream_version(found.group(1)) if found else None
    return None


# Commands that come and go: who discovers containers by the socket is a daemon.
_COMMANDS = frozenset(("docker", "docker-compose", "docker-buildx", "curl"))


def socket_clients(socket: str) -> list[str]:
    """Names of processes connected to ``socket``; a container's are not seen: their network namespace is another."""
    if not shutil.which("ss"):
        return []
    return connected(run(["ss", "-xpnH", "state", "established"], timeout=_SECONDS).stdout, socket)


def connected(listing: str, socket: str) -> list[str]:
    """Who is at the other end, by ``ss -xpnH``: ``u_str 0 0 PATH INODE * PEER users:(("name",pid=1,fd=3))``."""
    rows = [line.split(None, 7) for line in listing.splitlines()]
    full = [row for row in rows if len(row) >= 7]
    peers = {row[6] for row in full if same_socket(row[3], socket)}
    users = " ".join(row[7] for row in full if row[4] in peers and len(row) == 8)
    return sorted(set(re.findall(r'\("([^"]*)",pid=', users)) - _COMMANDS)


def existing(path: str) -> str:
    """``path`` or its first parent that exists."""
    return next(str(place) for place in (Path(path), *Path(path).parents) if place.exists())


def space(path: str) -> dict[str, Any]:
    """``{path, free, size}`` of the file system at ``path``, in bytes; what is kept back for root does not count."""
    stat = os.statvfs(path)
    return {"path": path, "free": stat.f_bavail * stat.f_frsize, "size": stat.f_blocks * stat.f_frsize}


def _word(path: str) -> str:
    return text_of(Path(path)).strip()


def _fields(path: Path) -> list[str]:
    return [item for item in text_of(path).split("\0") if item]
