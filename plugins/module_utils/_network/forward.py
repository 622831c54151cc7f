# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the traffic of workloads that have moved gets past Docker's rules, while others still run there (private to the
collection).

Docker's policy DROP stands at the end of FORWARD, and Netavark's own accept (in a table of nftables) does not overrule
that. So each workload gets a chain of its own behind DOCKER-USER, where the user's rules have had their say: what they
drop is dropped, what they return may pass. Docker's masquerading of a subnet means all that does not leave by its own
bridge; and it has bridged traffic pass iptables too (br_netfilter), so between two containers of Podman's the address of
the sender would be lost.

Docker writes its rules anew whenever it starts. The scripts that mend ours then (``at_start``) are the same whatever stands there,
so that iptables-restore takes them from files.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from .._state.records import short_name
from .iptables import COMMENT, DEFAULT_BRIDGE, OUR_CHAINS, PLAIN_LINK, USER_CHAIN, Tables, dockers_links

_FILTER, _NAT = ("filter", "FORWARD"), ("nat", "POSTROUTING")
_TO_USER = "-j " + USER_CHAIN


class Passage(NamedTuple):
    """The rules of a workload's own chains in one family: ``through`` FORWARD, and ``within`` the subnets of its networks."""

    workload: str
    through: Sequence[str]
    within: Sequence[str]


class Scripts(NamedTuple):
    """Inputs of iptables-restore, in this order: ``rules`` fills the chains, ``jumps`` has packets come through them, ``once``
    makes one of two jumps. iptables-restore refuses ``jumps`` where Docker has no DOCKER-USER, and ``once`` where there is
    one jump; what it refuses changes nothing."""

    rules: str
    jumps: str
    once: str


def passage(
    workload: str, bridges: Sequence[str], subnets: Sequence[tuple[str, str]], exits: Sequence[tuple[str, str]]
) -> Passage:
    """What lets the traffic of Podman's ``bridges`` through FORWARD, and no other; and leaves that within ``subnets``, each with
    the bridge that took the place of Docker's, as it is.

    From a bridge everything may go out, except into Docker's networks, which were closed to it before (``exits``); to a bridge
    come answers and what was sent to a published port.
    """
    through = [rule for bridge in bridges for rule in _passing(bridge, exits)]
    return Passage(workload, through, ["-s {0} -o {1} -j ACCEPT".format(*one) for one in subnets])


def exits(families: Sequence[Tables], bridges: Sequence[str], links: Sequence[str]) -> list[tuple[str, str]]:
    """Links and what becomes of traffic to them. Docker's networks are closed, also those that it makes later, by the name
    that it gives them; bridges of the host's own may be called alike. ``bridges``: the workload's; ``links``: the host's."""
    dockers = {name for tables in families for name in dockers_links(tables)}.difference(bridges)
    alike = [name for name in links if name.startswith("br-") and PLAIN_LINK.match(name)]
    hosts = sorted(name for name in alike if not (name in dockers or DEFAULT_BRIDGE.match(name)))
    named = sorted(name for name in dockers if name != "docker0" and not name.startswith("br-"))
    return [(name, "ACCEPT") for name in hosts] + [(name, "RETURN") for name in ("docker0", "br-+", *named)]


def has_dockers(tables: Tables) -> bool:
    """Whether Docker's rules stand in FORWARD, behind those of the user."""
    return _TO_USER in _rules(tables, *_FILTER)


def opening(tables: Tables, wanted: Passage) -> str:
    """iptables-restore input that opens a passage; empty when all of it is there already, or nothing of Docker's is."""
    if not wanted.through or not has_dockers(tables) or _is_open(tables, wanted):
        return ""
    return _filled(wanted) + _placed(wanted, *(_ours(tables, *place, wanted.workload) for place in (_FILTER, _NAT)))


def at_start(wanted: Passage) -> Scripts:
    """What opens a passage whatever is there already, with no moment in which it is closed; empty for a workload without a
    bridge."""
    if not wanted.through:
        return Scripts("", "", "")
    two = [_jump(wanted.workload)] * 2
    return Scripts(_filled(wanted), _placed(wanted, [], []), _placed(wanted, two, two if wanted.within else []))


def closing(tables: Tables, workload: str) -> str:
    """iptables-restore input that takes the passage of a workload back; empty when there is none."""
    chain, script = _chain(workload), ""
    for place in (_FILTER, _NAT):
        lines = _without(place, _ours(tables, *place, workload))
        if place[0] in tables and chain in tables[place[0]].chains:
            lines += ["-F " + chain, "-X " + chain]
        script += _table(place, lines)
    return script


def _chain(workload: str) -> str:
    """The name of a workload's chains; those of iptables hold 28 characters."""
    return OUR_CHAINS + short_name(workload)


def _jump(workload: str) -> str:
    return "-m comment --comment {0}{1} -j {2}".format(COMMENT, workload, _chain(workload))


def _passing(bridge: str, exits: Sequence[tuple[str, str]]) -> list[str]:
    return [
        *("-i {0} -o {1} -j {2}".format(bridge, link, verdict) for link, verdict in exits),
        "-i {0} -j ACCEPT".format(bridge),
        "-o {0} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT".format(bridge),
    ]


def _filled(wanted: Passage) -> str:
    chain, script = _chain(wanted.workload), ""
    for place, rules in ((_FILTER, wanted.through), (_NAT, wanted.within)):
        # To name a chain empties it.
        begin = [":{0} - [0:0]".format(chain)] if rules else []
        script += _table(place, [*begin, *("-A {0} {1}".format(chain, rule) for rule in rules)])
    return script


def _placed(wanted: Passage, in_forward: Sequence[str], in_nat: Sequence[str]) -> str:
    """The jumps where they belong, instead of what there is of them: behind DOCKER-USER, which comes first as Docker has it at
    each of its starts, and before Docker's masquerading."""
    jump = _jump(wanted.workload)
    first = ["-D FORWARD " + _TO_USER, "-I FORWARD 1 " + jump, "-I FORWARD 1 " + _TO_USER]
    nat = ["-I POSTROUTING 1 " + jump] if wanted.within else []
    return _table(_FILTER, _without(_FILTER, in_forward) + first) + _table(_NAT, _without(_NAT, in_nat) + nat)


def _is_open(tables: Tables, wanted: Passage) -> bool:
    chain = _chain(wanted.workload)
    forward, nat = (_above(tables, place, wanted.workload) for place in (_FILTER, _NAT))
    # Docker puts its masquerading first when it writes it anew.
    is_within = nat is not None and not any(rule.endswith("-j MASQUERADE") for rule in nat)
    return (
        _rules(tables, "filter", chain) == wanted.through
        and _rules(tables, "nat", chain) == wanted.within
        and forward is not None
        and _TO_USER in forward
        and is_within == bool(wanted.within)
    )


def _above(tables: Tables, place: tuple[str, str], workload: str) -> list[str] | None:
    """The rules above the jump of a workload; None unless there is one jump."""
    rules = _rules(tables, *place)
    jumps = [rule for rule in _ours(tables, *place, workload) if rule.endswith(" -j " + _chain(workload))]
    return rules[: rules.index(jumps[0])] if len(jumps) == 1 else None


def _rules(tables: Tables, table: str, chain: str) -> list[str]:
    return tables[table].of(chain) if table in tables else []


def _ours(tables: Tables, table: str, chain: str, workload: str) -> list[str]:
    mark = re.compile(r'--comment "?{0}{1}"?( |\Z)'.format(COMMENT, re.escape(workload)))
    return [rule for rule in _rules(tables, table, chain) if mark.search(rule)]


def _without(place: tuple[str, str], rules: Sequence[str]) -> list[str]:
    return ["-D {0} {1}".format(place[1], rule) for rule in rules]


def _table(place: tuple[str, str], lines: Sequence[str]) -> str:
    return "\n".join(["*" + place[0], *lines, "COMMIT"]) + "\n" if lines else ""
