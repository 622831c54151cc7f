# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes and the sockets they listen on, as the kernel shows them in /proc (private to the collection).

A container's sockets are those that its own processes hold: members of the control group of its first process,
with descriptors found in the socket tables of its network namespace. Docker's resolver on 127.0.0.11 lives in that
namespace too, but dockerd holds it. Formats: proc(5), cgroups(7), Documentation/networking/proc_net_tcp.rst.
"""

from __future__ import annotations

import ipaddress
import os
import struct
from typing import Any, Dict, Iterable, NamedTuple, Tuple

Cgroup = Tuple[str, str]

# Where Docker puts a container under cgroup v1, most telling first; the empty name is the one hierarchy of v2.
_HIERARCHIES = ("pids", "memory", "devices", "freezer", "cpu", "name=systemd", "")
_TABLES = (("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp"))
# States of include/net/tcp_states.h: a UDP socket without a peer is in state CLOSE.
_WAITING = {"tcp": 0x0A, "udp": 0x07}
_SOCKET = "socket:["
# The kernel's words for the limits of ulimit(1) that daemons hand down to containers.
_LIMITS = {"Max open files": "nofile", "Max processes": "nproc", "Max core file size": "core"}


class ProcessError(Exception):
    """The kernel's view cannot be read. The message names the place and says what to do."""


class Process(NamedTuple):
    """``cgroup``: (hierarchy, path) or None for the root group; ``sockets``: inode numbers of the sockets it holds."""

    name: str
    cgroup: Cgroup | None
    sockets: frozenset[int]


class Socket(NamedTuple):
    """A socket that waits for others to begin."""

    proto: str
    address: str
    port: int
    family: int
    inode: int


Processes = Dict[int, Process]


def parse_cgroup(text: str) -> Cgroup | None:
    """The control group in /proc/PID/cgroup (lines ``id:controllers:path``); None for the root group."""
    groups = {}
    for line in text.splitlines():
        _number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        groups.update(dict.fromkeys(controllers.split(","), path))
    return next(((name, groups[name]) for name in _HIERARCHIES if len(groups.get(name, "")) > 1), None)


def parse_sockets(text: str, proto: str) -> list[Socket]:
    """The waiting sockets of a table /proc/PID/net/{tcp,tcp6,udp,udp6}; lines of another form are left out."""
    sockets = []
    for fields in (line.split() for line in text.splitlines()[1:]):
        try:
            if int(fields[3], 16) == _WAITING[proto]:
                address, port = _endpoint(fields[1])
                sockets.append(Socket(proto, str(address), port, address.version, int(fields[9])))
        except (IndexError, ValueError):
            continue
    return sockets


def _endpoint(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """``0100007F:0050`` -> (127.0.0.1, 80): the address in words of the machine's byte order."""
    digits, _colon, port = text.partition(":")
    packed = b"".join(struct.pack("=I", int(digits[at : at + 8], 16)) for at in range(0, len(digits), 8))
    address = ipaddress.ip_address(packed)
    # Programs that bind an IPv4 address through an IPv6 socket listen on IPv4 only.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address, int(port, 16)


def members(processes: Processes, pid: int) -> list[int]:
    """The processes in the control group of ``pid`` and below it; ``pid`` alone when that is the root group."""
    if pid not in processes:
        return []
    group = processes[pid].cgroup
    if group is None:
        return [pid]
    hierarchy, path = group

    def inside(other: Cgroup | None) -> bool:
        return other is not None and other[0] == hierarchy and (other[1] + "/").startswith(path + "/")

    return sorted(number for number, process in processes.items() if inside(process.cgroup))


def listening(sockets: Iterable[Socket], held: Iterable[int], ephemeral: range) -> list[dict[str, Any]]:
    """What others can reach through the sockets ``held`` (inodes): ``[{proto, address, port, family}]``, sorted.

    A UDP client without a peer looks like a server; its port is one of the ``ephemeral`` ones and means nothing.
    """
    inodes = frozenset(held)
    found = {
        (item.proto, item.port, item.family, item.address)
        for item in sockets
        if item.inode in inodes and not (item.proto == "udp" and item.port in ephemeral)
    }
    return [
        {"proto": proto, "address": address, "port": port, "family": family}
        for proto, port, family, address in sorted(found)
    ]


def read_processes(proc: str = "/proc") -> Processes:
    """All processes of the host. Those that end meanwhile are left out. ProcessError without the right to look."""
    processes = {}
    for entry in os.listdir(proc):
        if not entry.isdigit():
            continue
        folder = "{0}/{1}".format(proc, entry)
        try:
            name, cgroup = _read(folder + "/comm").strip(), parse_cgroup(_read(folder + "/cgroup"))
            processes[int(entry)] = Process(name, cgroup, frozenset(_held(folder + "/fd")))
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError as error:
            raise ProcessError(
                "{0} cannot be read ({1}); run as root (become).".format(folder, error.strerror)
            ) from None
    return processes


def _read(path: str) -> str:
    with open(path, errors="replace") as stream:
        return stream.read()


def _held(folder: str) -> list[int]:
    inodes = []
    for entry in os.listdir(folder):
        try:
            target = os.readlink("{0}/{1}".format(folder, entry))
        except FileNotFoundError:
            continue
        if target.startswith(_SOCKET):
            inodes.append(int(target[len(_SOCKET) : -1]))
    return inodes


def container_view(processes: Processes, pid: int, proc: str = "/proc") -> dict[str, Any] | None:
    """The kernel's view of the container whose first process is ``pid``; None when it has ended."""
    if pid not in processes:
        return None
    try:
        sockets, ephemeral = _read_sockets(pid, proc), _read_ephemeral(proc)
        limits = parse_limits(_read("{0}/{1}/limits".format(proc, pid)))
    except OSError:
        return None
    held = [inode for member in members(processes, pid) for inode in processes[member].sockets]
    return {"listening": listening(sockets, held, ephemeral), "limits": limits}


def parse_limits(text: str) -> dict[str, list[int]]:
    """The limits in /proc/PID/limits whose defaults differ from engine to engine: name -> [soft, hard], -1 for none."""
    limits = {}
    for line in text.splitlines():
        name = _LIMITS.get(line[:26].strip())
        bounds = line[26:].split()[:2]
        if name and len(bounds) == 2:
            limits[name] = [int(bound) if bound.isdigit() else -1 for bound in bounds]
    return limits


def host_listeners(processes: Processes, proc: str = "/proc") -> list[dict[str, Any]]:
    """What listens in the host's network namespace: ``[{proto, address, port, process}]``.

    ``process`` is the name of one that holds the socket, "" for the kernel's own (NFS, WireGuard).
    """
    # Of several holders the youngest: systemd keeps the sockets that it opened for others.
    owners = {inode: process.name for _pid, process in sorted(processes.items()) for inode in process.sockets}
    found = {(item.proto, item.port, item.address, owners.get(item.inode, "")) for item in _read_sockets(1, proc)}
    return [
        {"proto": proto, "address": address, "port": port, "process": process}
        for proto, port, address, process in sorted(found)
    ]


def _read_sockets(pid: int, proc: str) -> list[Socket]:
    sockets = []
    for table, proto in _TABLES:
        path = "{0}/{1}/net/{2}".format(proc, pid, table)
        # Without IPv6 in the kernel there are no tcp6 and udp6.
        if os.path.exists(path):
            sockets.extend(parse_sockets(_read(path), proto))
    return sockets


def _read_ephemeral(proc: str) -> range:
    # The host's own range: a namespace starts with it, and another's can only be read from inside.
    low, high = _read(proc + "/sys/net/ipv4/ip_local_port_range").split()
    return range(int(low), int(high) + 1)
