# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewall rules of the host that were written for Docker's bridges, or in spite of its rules (private to the
collection)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Collection, Iterable, Mapping, Pattern

from .._common.command import run
from .._common.files import text_of
from . import iptables

# Where distributions load rules from at a boot.
SAVED = (
    "/etc/iptables/rules.v4",
    "/etc/iptables/rules.v6",
    "/etc/iptables/iptables.rules",
    "/etc/iptables/ip6tables.rules",
    "/etc/iptables.rules",
    "/etc/iptables.up.rules",
    "/etc/sysconfig/iptables",
    "/etc/sysconfig/ip6tables",
    "/etc/nftables.conf",
    "/etc/sysconfig/nftables.conf",
)
_SECONDS = 60
_COMES_BACK = re.compile(r"^\s*(?::FORWARD DROP|:DOCKER\b|chain DOCKER\b)", re.MULTILINE)
# Of ufw's chains those with the user's rules; its own know nothing of Docker, but for what the role podman writes.
_UFW_ITSELF = re.compile(r"-A ufw6?-(?!user-)")
_WILD = r"docker[+*]|br-[+*]|br-[0-9a-f]{12}"
_TABLE = re.compile(r"table (\S+ \S+) \{\Z")
# Those of iptables-nft, which iptables-save shows, and of programs that know Docker and Podman.
_KNOWN_TABLE = re.compile(r"(ip|ip6) (filter|nat|raw|mangle|security)\Z|\S+ (firewalld|netavark|docker)")
_CLOSES = re.compile(r"hook (forward|input) .*policy drop")


def saved(paths: Iterable[str] = SAVED) -> list[str]:
    """The files of saved rules that hold chains of Docker's, or close FORWARD."""
    return [path for path in paths if _COMES_BACK.search(text_of(Path(path)))]


def found(tables: Mapping[str, iptables.Tables]) -> list[str]:
    """The rules that name Docker's bridges, and the chains of the host's own tables that close INPUT or FORWARD, with the
    program that shows them. ``tables``: those of each family."""
    links = {"docker0"}.union(*(iptables.dockers_links(each) for each in tables.values()))
    rules = ["{0} {1}".format(family, rule) for family, each in tables.items() for rule in of_iptables(each, links)]
    listed = run(["nft", "list", "ruleset"], timeout=_SECONDS).stdout if shutil.which("nft") else ""
    return rules + of_nftables(listed, links)


def of_iptables(tables: iptables.Tables, links: Collection[str]) -> list[str]:
    """The rules of iptables-save that name one of the links and are neither Docker's nor the collection's."""
    named = _naming(links)
    rules = iptables.others(tables, links)
    return [rule for rule in rules if named.search(rule) and not _UFW_ITSELF.match(rule)]


def of_nftables(listed: str, links: Collection[str]) -> list[str]:
    """The same of ``nft list ruleset``, without the tables of iptables; and the chains that drop what no rule accepts."""
    named, rules, table = _naming(links), [], ""
    for line in listed.splitlines():
        begins = _TABLE.match(line)
        if begins:
            table = "" if _KNOWN_TABLE.match(begins.group(1)) else begins.group(1)
        elif table and (named.search(line) or _CLOSES.search(line)):
            rules.append("nft {0}: {1}".format(table, line.strip()))
    return rules


def _naming(links: Collection[str]) -> Pattern[str]:
    words = "|".join([_WILD, *map(re.escape, sorted(links))])
    return re.compile(r"(?<![\w.-])(?:{0})(?![\w.-])".format(words))
