# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both engines cannot hold at once: the addresses of Docker's bridges, and the way through its firewall (private to
the collection)."""

from __future__ import annotations

import ipaddress
import json
import os
from typing import Iterable, Mapping, Sequence

from .._common.command import run
from .._common.errors import UserError
from .._common.json import Json
from .._host import bridges
from . import forward, iptables
from .iptables import PLAIN_LINK


def on(bridge: str) -> list[Json]:
    """The addresses that others can reach on a bridge, in the form of ip-address(8); none when it is not there."""
    if not bridge:
        return []
    shown = run(["ip", "-json", "address", "show", "dev", bridge, "scope", "global"], check=False)
    if shown.rc != 0:
        return []
    return [
        {"local": "{0}/{1}".format(item["local"], item["prefixlen"]), "broadcast": item.get("broadcast", "")}
        for link in json.loads(shown.stdout or "[]")
        for item in link.get("addr_info", [])
        # ip prints empty objects for what it filtered out.
        if "local" in item
    ]


def require_dockers(networks: Iterable[Json]) -> None:
    """UserError when the bridge of a network is the host's too: the host would lose its address. Reads only."""
    bridged = [network for network in networks if network["bridge"]]
    for network in bridged:
        require_plain(network["bridge"])
    links = bridges.ports() if bridged else {}
    for network in bridged:
        own = [item["local"] for item in on(network["bridge"])]
        more = [address for address in own if sum((":" in one) == (":" in address) for one in own) > 1]
        found = [*links.get(network["bridge"], []), *more]
        if found:
            raise UserError(
                "The bridge {0} of network {1} has more on it than Docker's containers and its gateway: {2}. It is the host's "
                "own, and would lose its addresses. Nothing was changed.".format(
                    network["bridge"], network["docker_name"], ", ".join(found)
                )
            )


def require_plain(link: str) -> str:
    """The name of a bridge. UserError when it could mean something else to the programs that read it in a file."""
    if not PLAIN_LINK.match(link):
        raise UserError(
            "The bridge {0!r} has other characters in its name than letters, digits, '-', '_' and '.'; give the network "
            "another one (com.docker.network.bridge.name). Nothing was changed.".format(link)
        )
    return link


def are_free(record: Json) -> bool:
    return not any(on(network["bridge"]) for network in record["networks"])


def free(record: Json) -> None:
    """Take the addresses off Docker's bridges."""
    for network in record["networks"]:
        for address in on(network["bridge"]):
            run(["ip", "address", "delete", address["local"], "dev", network["bridge"]])


def put_back(record: Json) -> None:
    """Give Docker's bridges their addresses again."""
    for network in record["networks"]:
        for address in network["addresses"]:
            broadcast = ["broadcast", address["broadcast"]] if address["broadcast"] else []
            run(["ip", "address", "replace", address["local"], *broadcast, "dev", network["bridge"]])


def is_open(record: Json) -> bool:
    return not any(_openings(record).values())


def open_passage(record: Json) -> None:
    """Let the traffic of this workload's bridges, and no other, through Docker's FORWARD chain."""
    for family, script in _openings(record).items():
        iptables.apply(family, script)


def close_passage(record: Json) -> None:
    for family in iptables.FAMILIES:
        iptables.apply(family, forward.closing(iptables.read(family), record["workload"]))


def passages(record: Json, tables: Mapping[str, iptables.Tables]) -> dict[str, forward.Passage]:
    """What opens the way of a workload through Docker's firewall, by family, of which ``tables`` has what is there."""
    podmans = [require_plain(bridge) for bridge in record["bridges"]]
    exits = forward.exits(list(tables.values()), podmans, links())
    return {
        family: forward.passage(record["workload"], podmans, subnets, exits)
        for family, subnets in zip(iptables.FAMILIES, _subnets(record["networks"]))
    }


def _openings(record: Json) -> dict[str, str]:
    tables = {family: iptables.read(family) for family in iptables.FAMILIES}
    return {family: forward.opening(tables[family], wanted) for family, wanted in passages(record, tables).items()}


def _subnets(networks: Sequence[Json]) -> list[list[tuple[str, str]]]:
    """The subnets that have moved from a bridge of Docker's, each with the bridge that it is on now: of IPv4, and of IPv6."""
    found = [
        (ipaddress.ip_interface(address["local"]).network, network["podman_bridge"])
        for network in networks
        if network["bridge"] and network["podman_bridge"]
        for address in network.get("addresses", [])
    ]
    return [[(str(subnet), bridge) for subnet, bridge in found if subnet.version == version] for version in (4, 6)]


def links() -> list[str]:
    """The names of the host's network links."""
    return os.listdir("/sys/class/net")
