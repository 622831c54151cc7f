# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports, and addresses that a workload takes along, are open to the probe alone until the commit: what a client
was told, an undo would lose (private to the collection).

One table of nftables for each workload, in front of everything else, connection tracking included. Netavark's own
rules stay as they are.
"""

from __future__ import annotations

import ipaddress
from typing import Sequence

from .._common.command import CommandError, CommandTimeout, run
from .._common.json import Json
from .._state.records import short_name
from .iptables import PLAIN_LINK
from .probe import HOST_END, MARK

# Before raw (-300), so that no packet that is refused becomes a connection.
_PRIORITY = -310
# As by a service that is stopped: who waits for an answer that was dropped tries again after many seconds only.
_REFUSED = "reject with tcp reset"
_DROPPED = ("udp", "sctp")


def table(workload: str) -> str:
    """The name of a workload's table; a name of nftables holds few characters."""
    return "docker_to_podman_" + short_name(workload)


def script(
    workload: str, ports: Sequence[Json], subnets: Sequence[str], bridges: Sequence[str], closed: str = _REFUSED
) -> str:
    """The input of nft that closes the ports, and subnets to connections from elsewhere; it replaces what is there.
    ``closed``: what becomes of TCP.

    ``ports``: of the record, each proto, host_ip ("" for all addresses), host_port. ``bridges``: the workload's own, whose
    containers may use its published ports.
    """
    for link in bridges:
        if not PLAIN_LINK.match(link):
            raise ValueError("{0!r} is no name of a link".format(link))
    inside = ", ".join('"{0}"'.format(link) for link in ["lo", HOST_END, *bridges])
    rules = [*(_match(port, closed) for port in ports), *(_connection(subnet, closed) for subnet in subnets)]
    lines = [
        # Not deleted: the kernel would wait for all that still reads the old one (12 ms instead of nothing).
        "table inet {0}".format(table(workload)),
        "flush table inet {0}".format(table(workload)),
        "table inet {0} {{".format(table(workload)),
        "chain others {{ type filter hook prerouting priority {0}; policy accept;".format(_PRIORITY),
        "iifname {{ {0} }} accept".format(inside),
        *rules,
        "}",
        "chain host {{ type filter hook output priority {0}; policy accept;".format(_PRIORITY),
        "meta mark {0} accept".format(MARK),
        *rules,
        "}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def close(record: Json) -> None:
    """Close the published ports of a workload, and the addresses that it has under both engines."""
    subnets = [
        str(ipaddress.ip_interface(address["local"]).network)
        for network in record["networks"]
        for address in network["addresses"]
    ]
    wanted = record["workload"], record["ports"], subnets, record["bridges"]
    if not (record["ports"] or subnets):
        return
    try:
        run(["nft", "-f", "-"], input=script(*wanted))
    except CommandTimeout:
        raise
    except CommandError:
        # Kernels before 5.9 refuse nobody at this place; nothing of the script was applied.
        run(["nft", "-f", "-"], input=script(*wanted, closed="drop"))


def close_datagrams(record: Json) -> None:
    """Close the published UDP ports alone, before nobody listens there: the kernel would remember where the datagrams went
    meanwhile (``_plan/datagrams.py``)."""
    close({**record, "ports": [port for port in record["ports"] if port["proto"] == "udp"], "networks": []})


def open_ports(record: Json) -> None:
    """Open them; also when they are open already."""
    if record["ports"] or record["networks"]:
        run(["nft", "-f", "-"], input="\n".join(_without(record["workload"])) + "\n")


def _without(workload: str) -> list[str]:
    """Lines that remove a workload's table, whether or not it is there."""
    return ["table inet {0}".format(table(workload)), "delete table inet {0}".format(table(workload))]


def _connection(subnet: str, closed: str) -> str:
    """The rule for new connections to a subnet; what answers its containers passes."""
    network = ipaddress.ip_network(subnet)
    family = "ip6" if network.version == 6 else "ip"
    return "{0} daddr {1} tcp flags & (fin | syn | rst | ack) == syn {2}".format(family, network, closed)


def _match(port: Json, closed: str) -> str:
    """The rule for one port, on the addresses that it is published on. What passes by to other hosts is not meant."""
    host_ip = port.get("host_ip") or "0.0.0.0"
    address = ipaddress.ip_address(host_ip)
    family = "" if address.is_unspecified else "ip{0} daddr {1} ".format("6" if address.version == 6 else "", address)
    proto = port["proto"] if port["proto"] in _DROPPED else "tcp"
    verdict = closed if proto == "tcp" else "drop"
    return "fib daddr type local {0}{1} dport {2} {3}".format(family, proto, int(port["host_port"]), verdict)
