# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user put into DOCKER-USER: in FORWARD while Docker is retired, and back (private to the collection)."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Sequence

from .._state.records import read_json, write_json
from . import iptables
from .iptables import KEPT_CHAIN, USER_CHAIN, Tables

RECORD = "docker-user.json"
"""The name of the record, in the folder of the engine."""


def found(tables: Mapping[str, Tables]) -> list[str]:
    """The rules in the ``tables`` of each family, with the program that shows them."""
    filters = [(family, each["filter"]) for family, each in tables.items() if "filter" in each]
    return ["{0} {1}".format(family, rule) for family, table in filters for rule in iptables.user_rules(table)]


def note(folder: Path, rules: Mapping[str, Sequence[str]]) -> None:
    """Record what leaves DOCKER-USER, by family; what was recorded stays when nothing leaves."""
    if any(rules.values()):
        write_json(folder / RECORD, {"format": 1, "rules": dict(rules)})


def give_back(folder: Path) -> None:
    """Put back what was recorded, once a started Docker has made the chain."""
    if not (folder / RECORD).exists():
        return
    for family, rules in read_json(folder / RECORD)["rules"].items():
        iptables.apply(family, script(iptables.read(family), rules))
    (folder / RECORD).unlink()


def script(tables: Tables, rules: Sequence[str]) -> str:
    """iptables-restore input that brings rules from FORWARD to DOCKER-USER; those that are gone since a boot, too."""
    table = tables.get("filter")
    if table is None or USER_CHAIN not in table.chains:
        return ""
    forward, present = table.of("FORWARD"), table.of(USER_CHAIN)
    # One that a script adds at each of its starts stands there more than once; a second copy decides nothing.
    rules = list(dict.fromkeys(rules))
    lines = ["-D FORWARD " + rule for rule in rules for _copy in range(forward.count(rule))]
    lines += ["-D FORWARD -j " + KEPT_CHAIN] if "-j " + KEPT_CHAIN in forward else []
    lines += ["-F " + KEPT_CHAIN, "-X " + KEPT_CHAIN] if KEPT_CHAIN in table.chains else []
    lines += [
        "-I {0} {1} {2}".format(USER_CHAIN, number, rule) for number, rule in enumerate(rules, 1) if rule not in present
    ]
    return "\n".join(["*filter", *lines, "COMMIT"]) + "\n" if lines else ""
