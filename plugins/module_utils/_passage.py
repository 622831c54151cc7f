# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the traffic of workloads that have moved gets past Docker's rules, while others still run there (private to the
collection).

Docker's policy DROP stands behind its chain for the user, and Netavark's own accept (in a table of nftables) does not
overrule that. Its masquerading of a subnet means all that does not leave by its own bridge; and it has bridged traffic
pass iptables too (br_netfilter), so between two containers of Podman's the address of the sender would be lost.
"""

from __future__ import annotations

import re
from typing import Mapping, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._firewall import (
    COMMENT,
    USER_CHAIN,
    Tables,
)

_NAT_CHAIN = "POSTROUTING"
_PLACES = (("filter", USER_CHAIN), ("nat", _NAT_CHAIN))


def passage(tables: Tables, workload: str, bridges: Sequence[str], moved: Mapping[str, str]) -> str:
    """iptables-restore input that lets the traffic of Podman's ``bridges`` through DOCKER-USER, and no other; and keeps
    that within those that took the place of a bridge of Docker's (``moved``: Docker's bridge to Podman's) as it is.

    From a bridge everything may go out, except into Docker's networks, which were closed to it before; to a bridge
    come answers and what was sent to a published port. Empty when all of it is there already, or Docker has no such chain.
    """
    filters = tables.get("filter")
    if filters is None or USER_CHAIN not in filters.chains:
        return ""
    mark = "-m comment --comment {0}{1}".format(COMMENT, workload)
    through: list[str] = []
    for bridge in bridges:
        through += [
            "-i {0} -o docker0 {1} -j RETURN".format(bridge, mark),
            "-i {0} -o br-+ {1} -j RETURN".format(bridge, mark),
            "-i {0} {1} -j ACCEPT".format(bridge, mark),
            "-o {0} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT {1} -j ACCEPT".format(bridge, mark),
        ]
    script = [] if _ours(tables, "filter", USER_CHAIN, workload) else _lines("filter", USER_CHAIN, [], through)
    rules, ours = _rules(tables, "nat", _NAT_CHAIN), _ours(tables, "nat", _NAT_CHAIN, workload)
    dockers = _masquerading(rules, moved)
    # Docker puts its own first when it writes them anew.
    are_first = all(rules.index(mine) < rules.index(rule.string) for mine in ours for rule in dockers)
    if len(ours) != len(dockers) or not are_first:
        within = ["-s {0} -o {1} {2} -j ACCEPT".format(rule.group(1), moved[rule.group(2)], mark) for rule in dockers]
        script += _lines("nat", _NAT_CHAIN, ours, within)
    return _joined(script)


def passage_back(tables: Tables, workload: str) -> str:
    """iptables-restore input that takes the passage of a workload back; empty when there is none."""
    script: list[str] = []
    for table, chain in _PLACES:
        script += _lines(table, chain, _ours(tables, table, chain, workload), [])
    return _joined(script)


def _masquerading(rules: Sequence[str], moved: Mapping[str, str]) -> list[re.Match[str]]:
    """Docker's rules that masquerade what has moved: the subnet, and Docker's bridge."""
    shape = re.compile(r"-s (\S+) ! -o ({0}) -j MASQUERADE\Z".format("|".join(map(re.escape, moved)) or "(?!)"))
    return [found for found in map(shape.match, rules) if found]


def _rules(tables: Tables, table: str, chain: str) -> list[str]:
    return tables[table].of(chain) if table in tables else []


def _ours(tables: Tables, table: str, chain: str, workload: str) -> list[str]:
    mark = re.compile(r'--comment "?{0}{1}"?( |\Z)'.format(COMMENT, re.escape(workload)))
    return [rule for rule in _rules(tables, table, chain) if mark.search(rule)]


def _lines(table: str, chain: str, out: Sequence[str], into: Sequence[str]) -> list[str]:
    """Lines that take rules out of a chain and put others first into it; none for none."""
    lines = ["-D {0} {1}".format(chain, rule) for rule in out]
    lines += ["-I {0} {1} {2}".format(chain, number, rule) for number, rule in enumerate(into, 1)]
    return ["*" + table, *lines, "COMMIT"] if lines else []


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""
