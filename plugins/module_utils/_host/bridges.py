# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is attached to bridges besides containers (private to the collection).

A network of Docker's can use a bridge that the host itself is on (moby issue 28125): its address is the host's.
"""

from __future__ import annotations

import json

from .._common.command import run


def ports() -> dict[str, list[str]]:
    """The links attached to each bridge that are none of a container's."""
    return attached(run(["ip", "-json", "-details", "link", "show"]).stdout)


def attached(shown: str) -> dict[str, list[str]]:
    """The same by what ip-link(8) shows, as JSON with details."""
    found: dict[str, list[str]] = {}
    for link in json.loads(shown or "[]"):
        kinds = link.get("linkinfo", {})
        if kinds.get("info_slave_kind") == "bridge" and kinds.get("info_kind") != "veth":
            found.setdefault(str(link["master"]), []).append(str(link["ifname"]))
    return {bridge: sorted(links) for bridge, links in found.items()}
