# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both engines cannot hold at once: the addresses of Docker's bridges, and the way through its firewall (private to
the collection)."""

from __future__ import annotations

import json
import os
from typing import Iterable

from .._common.command import run
from .._common.errors import UserError
from .._common.json import Json
from .._host import bridges
from . import iptables
from .forward import passage, passage_back


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
    return not any(_passages(record).values())


def open_passage(record: Json) -> None:
    """Let the traffic of this workload's bridges, and no other, through Docker's FORWARD chain."""
    for family, script in _passages(record).items():
        iptables.apply(family, script)


def coexists(record: Json) -> bool:
    return are_free(record) and is_open(record)


def coexist(record: Json) -> None:
    """Keep a Docker that runs beside Podman out of the way of the workload."""
    free(record)
    open_passage(record)


def close_passage(record: Json) -> None:
    for family in iptables.FAMILIES:
        iptables.apply(family, passage_back(iptables.read(family), record["workload"]))


def _passages(record: Json) -> dict[str, str]:
    moved = {
        item["bridge"]: item["podman_bridge"] for item in record["networks"] if item["bridge"] and item["podman_bridge"]
    }
    there = links()
    return {
        family: passage(iptables.read(family), record["workload"], record["bridges"], moved, there)
        for family in iptables.FAMILIES
    }


def links() -> list[str]:
    """The names of the host's network links."""
    return os.listdir("/sys/class/net")
