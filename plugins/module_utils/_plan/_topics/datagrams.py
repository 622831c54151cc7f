# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published UDP ports of what has just started (private to the collection).

Of a datagram that nobody waits for the kernel remembers that it was for the host itself, or for an address that is gone;
all that follow from the same port go there too, as long as they come every 30 s (nf_conntrack-sysctl.rst,
nf_conntrack_udp_timeout). Docker has it forget that when it publishes a port (moby pull request 44742), but looks for the
port inside the container (moby issue 53384). Netavark does not (netavark issue 1045; seen on 1.14 after a boot).
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..quadlet import Line

_CONNTRACK = "/usr/sbin/conntrack"
MOST = 32
"""Each port is another program that a start waits for."""


def is_many(ports: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there are so many UDP ports that nothing is forgotten of them."""
    return len(_published(ports)) > MOST


def forget(ports: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The commands that have the kernel forget where datagrams to these ports (of the plan) went; each fails when there is
    nothing to forget."""
    if is_many(ports):
        return []
    return [
        [_CONNTRACK, "--delete", "--family", family, "--proto", "udp", "--orig-port-dst", str(number)]
        for number, address in _published(ports)
        for family in _families(address)
    ]


def service_lines(ports: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The same as [Service] lines."""
    return [("ExecStartPost", "-" + " ".join(argv)) for argv in forget(ports)]


def _published(ports: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    return sorted({(int(port["host_port"]), str(port["host_ip"])) for port in ports if port["proto"] == "udp"})


def _families(address: str) -> list[str]:
    if not address:
        return ["ipv4", "ipv6"]
    return ["ipv6" if ":" in address else "ipv4"]
