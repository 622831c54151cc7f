# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the traffic of workloads that have moved gets past Docker's rules, while others still run there (private to the
collection).

Docker's policy DROP stands at the end of FORWARD, and Netavark's own accept (in a table of nftables) does not overrule
that. So each workload gets a chain of its own behind DOCKER-USER and what the user has in FORWARD: what they drop is
dropped, what they return may pass. Docker's masquerading of a subnet means all that does not leave by its own
bridge; and it has bridged traffic pass iptables too (br_netfilter), so between two containers of Podman's the address of
the sender would be lost.

Docker writes its rules anew whenever it starts. The scripts that mend ours then (``at_start``) are the same whatever stands there,
so that iptables-restore takes them from files.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence, Tuple

from .._state.records import short_name
from .iptables import COMMENT, DEFAULT_BRIDGE, OUR_CHAINS, PLAIN_LINK, USER_CHAIN, Tables, dockers_links, others

_TO_USER = "-j " + USER_CHAIN
# Docker's own chains in FORWARD, which it begins anew whenever it starts: since 28, and before.
_DOCKERS = ("DOCKER-FORWARD", "DOCKER-ISOLATION-STAGE-1")
_FORWARD, _NAT = ("filter", "FORWARD"), ("nat", "POSTROUTING")
_Place = Tuple[str, str]


class Passage(NamedTuple):
    """The rules of a workload's own chains in one family: ``through`` FORWARD, and ``within`` the subnets of its networks."""

    workload: str
    through: Sequence[str]
    within: Sequence[str]


class Script(NamedTuple):
    """Input of iptables-restore. ``is_spare``: iptables-restore may refuse it, which changes nothing."""

    name: str
    text: str
    is_spare: bool = False


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
    return _TO_USER in _rules(tables, *_FORWARD)


def opening(tables: Tables, wanted: Passage) -> str:
    """iptables-restore input that opens a passage; empty when all of it is there already, or nothing of Docker's is."""
    if not wanted.through or not has_dockers(tables) or _is_open(tables, wanted):
        return ""
    found = {place: _ours(tables, *place, wanted.workload) for place in _places(tables, wanted)}
    return _filled(wanted) + "".join(_placed(place, wanted.workload, ours) for place, ours in found.items())


def at_start(tables: Tables, wanted: Passage) -> list[Script]:
    """What opens a passage whenever Docker has started, whatever is there already, with no moment in which it is closed. None
    for a workload without a bridge; and where Docker has no rules all of it may be refused."""
    if not wanted.through:
        return []
    scripts = [Script("rules", _filled(wanted))]
    for place in _places(tables, wanted):
        two = [_jump(wanted.workload)] * 2
        scripts.append(Script(place[1], _placed(place, wanted.workload, [])))
        # It makes one of two, and is refused where there is one.
        scripts.append(Script(place[1] + "-once", _placed(place, wanted.workload, two), is_spare=True))
    return scripts if has_dockers(tables) else [script._replace(is_spare=True) for script in scripts]


def closing(tables: Tables, workload: str) -> str:
    """iptables-restore input that takes the passage of a workload back; empty when there is none."""
    chain, script = _chain(workload), ""
    for table, chains in (("filter", (*_DOCKERS, "FORWARD")), ("nat", ("POSTROUTING",))):
        lines = [line for name in chains for line in _without(name, _ours(tables, table, name, workload))]
        if table in tables and chain in tables[table].chains:
            lines += ["-F " + chain, "-X " + chain]
        script += _table(table, lines)
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
    for table, rules in (("filter", wanted.through), ("nat", wanted.within)):
        # To name a chain empties it.
        begin = [":{0} - [0:0]".format(chain)] if rules else []
        script += _table(table, [*begin, *("-A {0} {1}".format(chain, rule) for rule in rules)])
    return script


def _places(tables: Tables, wanted: Passage) -> list[_Place]:
    """The built-in chains and those of Docker's through which packets come to the workload's own.

    What is last in FORWARD is behind all that the user wrote, and stays when Docker starts. Where rules of others follow
    Docker's, which may close FORWARD before its end, packets come by Docker's own chain, too.
    """
    forward = _rules(tables, *_FORWARD)
    dockers = [("filter", chain) for chain in _DOCKERS if "-j " + chain in forward]
    behind = dockers[:1] if _are_followed(tables, forward) else []
    return [*behind, _FORWARD, *([_NAT] if wanted.within else [])]


def _are_followed(tables: Tables, forward: Sequence[str]) -> bool:
    behind = forward[forward.index(_TO_USER) :] if _TO_USER in forward else []
    strange = others(tables, {"docker0", *dockers_links(tables)})
    return any("-A FORWARD " + rule in strange for rule in behind)


def _placed(place: _Place, workload: str, ours: Sequence[str]) -> str:
    """A jump where it belongs, instead of ``ours`` that stand there."""
    table, chain = place
    if place == _FORWARD:
        # Where Docker has no rules nothing needs to pass them.
        lines = ["-C FORWARD " + _TO_USER, *_without(chain, ours), "-A FORWARD " + _jump(workload)]
    else:
        lines = [*_without(chain, ours), "-I {0} 1 {1}".format(chain, _jump(workload))]
    return _table(table, lines)


def _is_open(tables: Tables, wanted: Passage) -> bool:
    chain = _chain(wanted.workload)
    return (
        _rules(tables, "filter", chain) == wanted.through
        and _rules(tables, "nat", chain) == wanted.within
        and all(_is_placed(tables, place, wanted.workload) for place in _places(tables, wanted))
    )


def _is_placed(tables: Tables, place: _Place, workload: str) -> bool:
    """Whether there is one jump, and in nat none of Docker's rules above it, which puts its own first."""
    rules = _rules(tables, *place)
    jumps = [rule for rule in _ours(tables, *place, workload) if rule.endswith(" -j " + _chain(workload))]
    above = rules[: rules.index(jumps[0])] if jumps else []
    return len(jumps) == 1 and not any(rule.endswith("-j MASQUERADE") for rule in above)


def _rules(tables: Tables, table: str, chain: str) -> list[str]:
    return tables[table].of(chain) if table in tables else []


def _ours(tables: Tables, table: str, chain: str, workload: str) -> list[str]:
    mark = re.compile(r'--comment "?{0}{1}"?( |\Z)'.format(COMMENT, re.escape(workload)))
    return [rule for rule in _rules(tables, table, chain) if mark.search(rule)]


def _without(chain: str, rules: Sequence[str]) -> list[str]:
    return ["-D {0} {1}".format(chain, rule) for rule in rules]


def _table(name: str, lines: Sequence[str]) -> str:
    return "\n".join(["*" + name, *lines, "COMMIT"]) + "\n" if lines else ""
