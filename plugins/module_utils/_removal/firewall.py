# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's rules and chains out of the firewall (private to the collection)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

from .._network import iptables, user_rules
from .._network.probe import Outside, Port
from .leftovers import Found, ResidueError


def remove_firewall(inventory: dict[str, Any], ports: Sequence[Port], state: Path, check: bool) -> Found:
    """Docker's chains and rules in both families; rules that the user put into DOCKER-USER are kept in FORWARD, and recorded
    in the folder of the engine, ``state``.

    Without Docker's rules those of another firewall may come to bear. ResidueError, and all is as it was, when one of the
    published ``ports`` would no longer answer from outside.
    """
    bridges = iptables.dockers_bridges(inventory.get("networks") or [])
    removals = {family: iptables.removal(iptables.read(family), bridges) for family in iptables.FAMILIES}
    found = ["{0} {1}".format(family, item) for family, removal in removals.items() for item in removal.found]
    left = [
        "{0} FORWARD: {1} (was in DOCKER-USER)".format(family, item)
        for family, removal in removals.items()
        for item in removal.kept
    ]
    scripts = {family: removal.script for family, removal in removals.items() if removal.script}
    if scripts and not check:
        user_rules.note(state, {family: removal.kept for family, removal in removals.items()})
        _apply_unless_closed(scripts, [port for port in ports if port["proto"] == "tcp"])
    return Found(found, left)


def _apply_unless_closed(scripts: dict[str, str], ports: Sequence[Port]) -> None:
    with Outside() as outside:
        answered = outside.answering(ports)
        before = {family: iptables.save(family) for family in scripts}
        try:
            for family, script in scripts.items():
                iptables.apply(family, script)
            still = outside.answering(answered)
            closed = [str(port["host_port"]) for port in answered if port not in still]
            if closed:
                raise ResidueError(
                    "Without Docker's rules port {0} would not answer from outside any more, so they stay until the next boot: "
                    "another firewall of this host closes FORWARD. Let the traffic of Podman's bridges pass there (for ufw "
                    "the role podman does), and run this again.".format(", ".join(closed))
                )
        except BaseException:
            for family, text in before.items():
                iptables.restore(family, text)
            raise
