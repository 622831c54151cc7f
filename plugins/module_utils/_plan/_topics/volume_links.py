# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes whose folder somebody moved elsewhere, with a link in its place (private to the collection)."""

from __future__ import annotations

import shlex
from typing import Iterator, Sequence

from ..._common.json import Json, mapping, text
from .._documents.containers import name_of
from .._documents.context import Context
from ..model import BLOCKER, Finding
from .mounts import mounts_of

_REMEDY = (
    "Mount the folder in place of the link: stop {containers} and Docker (systemctl stop docker.socket docker.service), run "
    "rm {link} && mkdir {link} && mount --bind {real} {link}, write the line '{fstab} none bind 0 0' into /etc/fstab, start "
    "Docker, and assess again."
)


def findings(containers: Sequence[Json], known: Context) -> Iterator[Finding]:
    """The volumes of a workload that cannot be read where Docker says that they are."""
    links = mapping(known.host.get("volume_links"))
    users: dict[str, list[str]] = {}
    for container in containers:
        for mount in mounts_of(container, "volume"):
            users.setdefault(text(mount.get("Name")), []).append(name_of(container))
    for name, who in sorted(users.items()):
        volume = known.volumes.get(name, {})
        options = mapping(volume.get("Options"))
        found = mapping(links.get(text(volume.get("Mountpoint"))))
        if not found or name in known.persisted or text(options.get("type")) or text(options.get("device")):
            continue
        link, real = text(found.get("link")), text(found.get("real"))
        message = f"Docker reaches it through the link {link}, which leads to {real}; no link is followed to copy data."
        remedy = _REMEDY.format(
            containers=", ".join(sorted(set(who))),
            link=shlex.quote(link),
            real=shlex.quote(real),
            fstab=" ".join(path.replace("\\", "\\134").replace(" ", "\\040") for path in (real, link)),
        )
        yield Finding(BLOCKER, "volume-link", name, "Mountpoint", message, remedy)
