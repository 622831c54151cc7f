# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's bridges out of the kernel (private to the collection)."""

from __future__ import annotations

import os
from typing import Any

from .._common.command import run
from .._network import iptables
from .leftovers import Found


def remove_bridges(inventory: dict[str, Any], check: bool) -> Found:
    """The bridges of the inventory's networks, as far as nothing is attached to them."""
    result = Found([], [])
    for name in iptables.dockers_bridges(inventory.get("networks") or []):
        if not iptables.PLAIN_LINK.match(name) or not os.path.isdir("/sys/class/net/{0}/bridge".format(name)):
            continue
        if name != "docker0" and not iptables.DEFAULT_BRIDGE.match(name):
            result.left.append("{0}: it has a name of its own, so it may be the host's".format(name))
            continue
        attached = sorted(os.listdir("/sys/class/net/{0}/brif".format(name)))
        if attached:
            result.left.append("{0}: {1} is attached to it".format(name, ", ".join(attached)))
            continue
        result.found.append(name)
        if not check:
            run(["ip", "link", "delete", name, "type", "bridge"])
    return result
