# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which published ports answer to somebody outside (private to the collection).

A TCP service accepts a connection. A UDP service need not answer what it does not understand: a datagram has to reach
its socket, which the kernel counts.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

from .probe import Outside, Port

_PATIENCE = 1.0
_STEP = 0.02


def answering(ports: Sequence[Port], processes: Mapping[str, int], outside: Outside) -> list[Port]:
    """Those of the ports that answer; ``processes``: the first process of each container, by its name."""
    tcp = outside.answering([port for port in ports if port["proto"] == "tcp"])
    udp = [port for port in ports if port["proto"] == "udp"]
    return tcp + [port for port in udp if _is_reached(port, processes.get(port["container"], 0), outside)]


def _is_reached(port: Port, process: int, outside: Outside) -> bool:
    before = received(process)
    if before is None:
        return False
    outside.send(port)
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        now = received(process)
        if now and (now.read > before.read or now.waiting > before.waiting):
            return True
        time.sleep(_STEP)
    return False


class Received(NamedTuple):
    """Datagrams that programs have read or had no room for, and bytes that wait for them to read."""

    read: int
    waiting: int


def received(process: int, proc: str = "/proc") -> Received | None:
    """What reached the sockets in the network of a process, IPv6 included; None when it is gone (proc(5), /proc/PID/net:
    the counters of snmp and snmp6 count what is read, udp and udp6 show what waits)."""
    net = Path(proc, str(process), "net")
    snmp = [line.split()[1:] for line in _lines(net / "snmp") if line.startswith("Udp:")]
    if not process or len(snmp) != 2:
        return None
    counts: dict[str, str] = dict(zip(*snmp))
    for line in _lines(net / "snmp6"):
        name, value = line.split()
        counts[name] = value
    names = ("InDatagrams", "InErrors", "Udp6InDatagrams", "Udp6InErrors")
    sockets = [line.split() for name in ("udp", "udp6") for line in _lines(net / name)[1:]]
    waiting = sum(int(words[4].partition(":")[2], 16) for words in sockets)
    return Received(sum(int(counts.get(name, 0)) for name in names), waiting)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
