# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User namespaces of an engine with userns-remap (private to the collection)."""

from __future__ import annotations

import re

from ..._common.json import Json, dig, strings, text
from .._documents.context import Context
from .._tables.options import Setting

_REMAPPED_ROOT = re.compile(r".*/(?P<uid>\d+)\.(?P<gid>\d+)/*\Z")
SIZE = 65536
"""How many IDs Docker maps: what useradd gives to dockremap (subuid(5))."""


def shift(known: Context) -> tuple[int, int] | None:
    """The IDs that root has outside; Docker keeps the data of such an engine in a folder that is called after them."""
    if "name=userns" not in strings(dig(known.engine, "info.SecurityOptions")):
        return None
    found = _REMAPPED_ROOT.match(text(dig(known.engine, "info.DockerRootDir")))
    return (int(found.group("uid")), int(found.group("gid"))) if found else None


def settings(known: Context, container: Json | None = None) -> list[Setting]:
    """The same map for a container or a pod; a container with the host's IDs has none."""
    ids = shift(known)
    if ids is None or (container and dig(container, "HostConfig.UsernsMode") == "host"):
        return []
    return [("uid_map", f"0:{ids[0]}:{SIZE}"), ("gid_map", f"0:{ids[1]}:{SIZE}")]
