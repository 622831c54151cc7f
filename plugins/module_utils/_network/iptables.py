# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's rules in iptables: what they are, and how to take them out (private to the collection).

Everything is read from iptables-save and written by one iptables-restore --noflush, which the kernel takes whole or
not at all. The shapes of Docker's rules: moby, libnetwork/drivers/bridge/setup_ip_tables.go, and hosts of Docker 26.1.
"""

from __future__ import annotations

import fcntl
import ipaddress
import re
import time
from typing import Any, Dict, Iterable, NamedTuple, Sequence, TextIO

from .._common import deadlines
from .._common.command import CommandError, run
from .._common.errors import UserError

FAMILIES = ("iptables", "ip6tables")
LOCK = "/run/docker_to_podman.lock"
"""Who holds it (flock(2)) changes rules. ``--wait`` is a lock of iptables-legacy: with nftables below, two at a time find rules
gone that they are about to move, and fail."""
# Seconds: as long as iptables itself may take.
_LOCK_SECONDS, _LOCK_PAUSE = 20.0, 0.02
USER_CHAIN = "DOCKER-USER"
OUR_CHAINS = "DOCKER-PODMAN-"
"""What the names of our own chains begin with; they go with Docker's."""
KEPT_CHAIN = "FORWARD-USER"
"""Where user rules go that end with RETURN: in FORWARD itself that word would end the chain."""
_ISOLATION = ("DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2")
CHAINS = frozenset(
    (
        USER_CHAIN,
        "DOCKER",
        "DOCKER-BRIDGE",
        "DOCKER-CT",
        "DOCKER-FORWARD",
        "DOCKER-INGRESS",
        "DOCKER-INTERNAL",
        *_ISOLATION,
    )
)
COMMENT = "docker_to_podman:"
"""What our own rules are marked with, the name of a workload behind it."""
# What Docker puts into built-in chains besides jumps: table, chain, the rule; BRIDGE stands for each of its bridges.
_SHAPES = (
    ("filter", "FORWARD", r"-o (BRIDGE) -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
    ("filter", "FORWARD", r"-i (BRIDGE) ! -o \1 -j ACCEPT"),
    ("filter", "FORWARD", r"-i (BRIDGE) -o \1 -j (ACCEPT|DROP)"),
    ("filter", "FORWARD", r"-m set --match-set docker-ext-bridges-v[46] dst .*"),
    ("nat", "POSTROUTING", r"-s \S+ ! -o (BRIDGE) -j MASQUERADE"),
    ("nat", "POSTROUTING", r"-o (BRIDGE) -m addrtype --src-type LOCAL -j MASQUERADE"),
    ("raw", "PREROUTING", r"-d \S+ ! -i (BRIDGE) -j DROP"),
)
DEFAULT_BRIDGE = re.compile(r"br-[0-9a-f]{12}\Z")
"""How Docker calls the bridge of a network that gives it no name."""
PLAIN_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")
"""A name of a link that means nothing else to a program."""
_LINK = re.compile(r"(?:^| )-[io] ([A-Za-z0-9_.-]{1,15})(?= |$)")
_HAIRPIN = re.compile(r"-s (\S+) -d \1 -p (\w+) -m \2 --dport \d+ -j MASQUERADE\Z")


class Table(NamedTuple):
    """A table of iptables-save: the policy of each chain ("-" for those that programs made), and the rules in order."""

    chains: dict[str, str]
    rules: list[str]

    def of(self, chain: str) -> list[str]:
        """The rules of a chain, without ``-A CHAIN``."""
        begin = "-A {0} ".format(chain)
        return [rule[len(begin) :] for rule in self.rules if rule.startswith(begin)]


Tables = Dict[str, Table]


class Removal(NamedTuple):
    """What there is of Docker in one family, and the input of iptables-restore that takes it out."""

    found: list[str]
    kept: list[str]
    script: str


def parse(saved: str) -> Tables:
    """The output of iptables-save."""
    tables: Tables = {}
    table = Table({}, [])
    for line in saved.splitlines():
        if line.startswith("*"):
            table = tables.setdefault(line[1:].strip(), Table({}, []))
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            table.chains[name] = policy
        elif line.startswith("-A "):
            table.rules.append(line.rstrip())
    return tables


def removal(tables: Tables, bridges: Iterable[str]) -> Removal:
    """How to remove Docker's chains, the rules of its ``bridges`` and the policy it set; user rules are kept."""
    names = sorted(bridges)
    found: list[str] = []
    kept: list[str] = []
    script: list[str] = []
    for table in sorted(tables):
        lines = _table_removal(table, tables[table], names, found, kept)
        script += ["*" + table, *lines, "COMMIT"] if lines else []
    return Removal(found, kept, "\n".join(script) + "\n" if script else "")


def _table_removal(name: str, table: Table, bridges: list[str], found: list[str], kept: list[str]) -> list[str]:
    chains = _removable(table)
    rules = [rule for rule in table.rules if _is_dockers(name, table, rule, chains, bridges)]
    user = user_rules(table) if name == "filter" and USER_CHAIN in chains else []
    open_forward = name == "filter" and "DOCKER" in chains and table.chains.get("FORWARD") == "DROP"
    # ufw sets this policy too, and means it.
    open_forward = open_forward and not any(" -j ufw-" in rule for rule in table.rules)
    found += ["{0}: chain {1}".format(name, chain) for chain in chains]
    found += ["{0}: {1}".format(name, rule) for rule in rules]
    found += ["filter: policy DROP of FORWARD"] if open_forward else []
    kept += user
    return (
        ([":FORWARD ACCEPT [0:0]"] if open_forward else [])
        + _moved(user)
        + ["-D" + rule[2:] for rule in rules]
        + ["-F " + chain for chain in chains]
        + ["-X " + chain for chain in chains]
    )


def _removable(table: Table) -> list[str]:
    """Docker's chains, without those that the chains of other programs use."""
    used = {_target(rule) for rule in table.rules if not _goes(_chain(rule)) and table.chains.get(_chain(rule)) == "-"}
    return [chain for chain in table.chains if _goes(chain) and chain not in used]


def _goes(chain: str) -> bool:
    return chain in CHAINS or chain.startswith(OUR_CHAINS)


def others(tables: Tables, bridges: Iterable[str]) -> list[str]:
    """The rules that are neither Docker's, whose ``bridges`` these are, nor our own."""
    names = sorted(bridges)
    return [
        rule
        for name, table in sorted(tables.items())
        for chains in [_removable(table)]
        for rule in table.rules
        if not (_goes(_chain(rule)) or COMMENT in rule or _is_dockers(name, table, rule, chains, names))
    ]


def _is_dockers(name: str, table: Table, rule: str, chains: list[str], bridges: list[str]) -> bool:
    chain = _chain(rule)
    if table.chains.get(chain, "-") == "-":
        return False
    if _target(rule) in chains or COMMENT in rule:
        return True
    body = rule.split(" ", 2)[2]
    alternatives = "|".join(re.escape(bridge) for bridge in bridges) or "(?!)"
    for in_table, in_chain, shape in _SHAPES:
        if (in_table, in_chain) == (name, chain) and re.match(shape.replace("BRIDGE", alternatives) + r"\Z", body):
            return True
    hairpin = _HAIRPIN.match(body) if name == "nat" and chain == "POSTROUTING" else None
    return bool(hairpin) and _within(hairpin.group(1) if hairpin else "", _subnets(table, alternatives))


def _subnets(table: Table, alternatives: str) -> list[str]:
    masquerading = re.compile(r"-s (\S+) ! -o ({0}) -j MASQUERADE\Z".format(alternatives))
    return [found.group(1) for found in map(masquerading.match, table.of("POSTROUTING")) if found]


def _within(address: str, subnets: list[str]) -> bool:
    host = ipaddress.ip_interface(address).ip
    return any(host in ipaddress.ip_network(subnet) for subnet in subnets)


def user_rules(table: Table) -> list[str]:
    """What the user put into DOCKER-USER: not Docker's own last RETURN."""
    return [rule for rule in table.of(USER_CHAIN) if rule != "-j RETURN"]


def _moved(user: list[str]) -> list[str]:
    """Lines that put the user's rules where DOCKER-USER was: before all else in FORWARD."""
    if any(_target("-A x " + rule) == "RETURN" for rule in user):
        moved = [":{0} - [0:0]".format(KEPT_CHAIN)] + ["-A {0} {1}".format(KEPT_CHAIN, rule) for rule in user]
        return [*moved, "-I FORWARD 1 -j " + KEPT_CHAIN]
    return ["-I FORWARD {0} {1}".format(number, rule) for number, rule in enumerate(user, 1)]


def _chain(rule: str) -> str:
    return rule.split(" ", 2)[1]


def _target(rule: str) -> str:
    found = re.search(r" -[jg] (\S+)", rule)
    return found.group(1) if found else ""


def read(family: str) -> Tables:
    """The tables of a family; none where its programs are not installed."""
    try:
        return parse(save(family))
    except CommandError as error:
        if "not installed" in str(error):
            return {}
        raise


def apply(family: str, script: str) -> None:
    """Give a script to iptables-restore, without touching what it does not name."""
    if script:
        with open(LOCK, "a", encoding="ascii") as lock:
            _wait_for(lock)
            run([family + "-restore", "--noflush", "--wait"], input=script)


def _wait_for(lock: TextIO) -> None:
    until = time.monotonic() + deadlines.capped(_LOCK_SECONDS)
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise UserError(
                    "Another program changes the firewall and does not let go of {0}; fuser -v {0} shows which. End it, and run "
                    "this again.".format(LOCK)
                ) from None
        time.sleep(_LOCK_PAUSE)


def save(family: str) -> str:
    """All rules of a family, for ``restore``."""
    return run([family + "-save"]).stdout


def restore(family: str, saved: str) -> None:
    """Make the rules of the tables of ``save`` what they were."""
    run([family + "-restore", "--wait"], input=saved)


def dockers_links(tables: Tables) -> set[str]:
    """The links that Docker's own filter rules name: its bridges, whatever they are called."""
    filters = tables.get("filter")
    rules = [rule for chain in CHAINS - {USER_CHAIN} for rule in filters.of(chain)] if filters else []
    return {name for rule in rules for name in _LINK.findall(rule)}


def dockers_bridges(networks: Sequence[Any]) -> list[str]:
    """The names of the bridges of network documents (GET /networks/ID), docker0 included.

    Docker names a bridge itself: br- and twelve digits of the network's ID; or the option names it.
    """
    names = {"docker0"}
    for network in networks:
        if isinstance(network, dict) and network.get("Driver") == "bridge":
            options = network.get("Options") or {}
            names.add(str(options.get("com.docker.network.bridge.name") or "br-" + str(network.get("Id", ""))[:12]))
    return sorted(names)
