# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the traffic of workloads that have moved gets past Docker's rules, while others still run there (private to the
collection).

Docker's policy DROP stands at the end of FORWARD, and Netavark's own accept (in a table of nftables) does not overrule
that. So each workload gets a chain of its own behind DOCKER-USER, where the user's rules have had their say: what they
drop is dropped, what they return may pass. Docker's masquerading of a subnet means all that does not leave by its own
bridge; and it has bridged traffic pass iptables too (br_netfilter), so between two containers of Podman's the address of
the sender would be lost.
"""

from __future__ import annotations

import re
from typing import Mapping, Sequence

from .._state.records import short_name
from .iptables import COMMENT, DEFAULT_BRIDGE, OUR_CHAINS, USER_CHAIN, Tables, dockers_links

_NAT_CHAIN = "POSTROUTING"
_JUMP = "-j " + USER_CHAIN


def passage(
    tables: Tables, workload: str, bridges: Sequence[str], moved: Mapping[str, str], links: Sequence[str] = ()
) -> str:
    """iptables-restore input that lets the traffic of Podman's ``bridges`` through FORWARD, and no other; and keeps that
    within those that took the place of a bridge of Docker's (``moved``: Docker's bridge to Podman's) as it is.

    From a bridge everything may go out, except into Docker's networks, which were closed to it before; to a bridge
    come answers and what was sent to a published port. ``links``: those of the host. Empty when all of it is there already,
    or Docker has no such chain.
    """
    filters = tables.get("filter")
    if filters is None or USER_CHAIN not in filters.chains:
        return ""
    mark = "-m comment --comment {0}{1}".format(COMMENT, workload)
    script = _through(tables, workload, mark, bridges, links) if bridges else []
    rules, ours = _rules(tables, "nat", _NAT_CHAIN), _ours(tables, "nat", _NAT_CHAIN, workload)
    dockers = _masquerading(rules, moved)
    # Docker puts its own first when it writes them anew.
    are_first = all(rules.index(mine) < rules.index(rule.string) for mine in ours for rule in dockers)
    if len(ours) != len(dockers) or not are_first:
        within = ["-s {0} -o {1} {2} -j ACCEPT".format(rule.group(1), moved[rule.group(2)], mark) for rule in dockers]
        places = ["-I {0} {1} {2}".format(_NAT_CHAIN, number, rule) for number, rule in enumerate(within, 1)]
        script += _table("nat", _without(_NAT_CHAIN, ours) + places)
    return _joined(script)


def passage_back(tables: Tables, workload: str) -> str:
    """iptables-restore input that takes the passage of a workload back; empty when there is none."""
    lines = _without("FORWARD", _ours(tables, "filter", "FORWARD", workload))
    if "filter" in tables and _chain(workload) in tables["filter"].chains:
        lines += ["-F " + _chain(workload), "-X " + _chain(workload)]
    nat = _without(_NAT_CHAIN, _ours(tables, "nat", _NAT_CHAIN, workload))
    return _joined(_table("filter", lines) + _table("nat", nat))


def _chain(workload: str) -> str:
    """The name of a workload's chain; those of iptables hold 28 characters."""
    return OUR_CHAINS + short_name(workload)


def _through(tables: Tables, workload: str, mark: str, bridges: Sequence[str], links: Sequence[str]) -> list[str]:
    exits = _exits(dockers_links(tables).difference(bridges), links)
    chain, wanted = _chain(workload), [rule for bridge in bridges for rule in _passing(bridge, exits)]
    lines = []
    if _rules(tables, "filter", chain) != wanted:
        # To name a chain empties it.
        lines = [":{0} - [0:0]".format(chain), *("-A {0} {1}".format(chain, rule) for rule in wanted)]
    forward, jumps = _rules(tables, "filter", "FORWARD"), _ours(tables, "filter", "FORWARD", workload)
    if not jumps or _JUMP in forward[forward.index(jumps[0]) :]:
        lines += _without("FORWARD", jumps)
        others = [rule for rule in forward if rule not in jumps]
        place = others.index(_JUMP) + 2 if _JUMP in others else 1
        lines.append("-I FORWARD {0} {1} -j {2}".format(place, mark, chain))
    return _table("filter", lines)


def _exits(dockers: set[str], links: Sequence[str]) -> list[tuple[str, str]]:
    """Links and what becomes of traffic to them. Docker's networks are closed, also those that it makes later, by the name
    that it gives them; bridges of the host's own may be called alike."""
    hosts = sorted(
        name for name in links if name.startswith("br-") and not (name in dockers or DEFAULT_BRIDGE.match(name))
    )
    named = sorted(name for name in dockers if name != "docker0" and not name.startswith("br-"))
    return [(name, "ACCEPT") for name in hosts] + [(name, "RETURN") for name in ("docker0", "br-+", *named)]


def _passing(bridge: str, exits: Sequence[tuple[str, str]]) -> list[str]:
    return [
        *("-i {0} -o {1} -j {2}".format(bridge, link, verdict) for link, verdict in exits),
        "-i {0} -j ACCEPT".format(bridge),
        "-o {0} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT".format(bridge),
    ]


def _masquerading(rules: Sequence[str], moved: Mapping[str, str]) -> list[re.Match[str]]:
    """Docker's rules that masquerade what has moved: the subnet, and Docker's bridge."""
    shape = re.compile(r"-s (\S+) ! -o ({0}) -j MASQUERADE\Z".format("|".join(map(re.escape, moved)) or "(?!)"))
    return [found for found in map(shape.match, rules) if found]


def _rules(tables: Tables, table: str, chain: str) -> list[str]:
    return tables[table].of(chain) if table in tables else []


def _ours(tables: Tables, table: str, chain: str, workload: str) -> list[str]:
    mark = re.compile(r'--comment "?{0}{1}"?( |\Z)'.format(COMMENT, re.escape(workload)))
    return [rule for rule in _rules(tables, table, chain) if mark.search(rule)]


def _without(chain: str, rules: Sequence[str]) -> list[str]:
    return ["-D {0} {1}".format(chain, rule) for rule in rules]


def _table(name: str, lines: Sequence[str]) -> list[str]:
    return ["*" + name, *lines, "COMMIT"] if lines else []


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""
