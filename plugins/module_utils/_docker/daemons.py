# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dockerds that run on this host, and what they run in (private to the collection)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from .._host.processes import parse_cgroup


class Dockerd(NamedTuple):
    """``group``: its control group, whose path names its unit; ``shares_network``: whether its firewall rules are the host's. A
    rootless one can be in the host's network namespace, and keeps its rules in another (moby PR 47103)."""

    pid: int
    group: str
    shares_network: bool

    def __str__(self) -> str:
        return "process {0} in {1}".format(self.pid, self.group)


def running(proc: str = "/proc") -> list[Dockerd]:
    """All of this host, also the rootless ones of users; one inside a container is not meant."""
    found = []
    for pid in sorted(int(entry) for entry in os.listdir(proc) if entry.isdigit()):
        folder = Path(proc, str(pid))
        try:
            if (folder / "comm").read_text().strip() == "dockerd" and _is_shared(proc, pid, "pid"):
                group = parse_cgroup((folder / "cgroup").read_text())
                is_hosts = _is_shared(proc, pid, "net") and _is_shared(proc, pid, "user")
                found.append(Dockerd(pid, group[1] if group else "/", is_hosts))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _is_shared(proc: str, pid: int, namespace: str) -> bool:
    own, other = (os.readlink("{0}/{1}/ns/{2}".format(proc, process, namespace)) for process in ("self", pid))
    return own == other


def system_unit(group: str) -> str:
    """The unit of the system that a control group belongs to; "" for none.

    ``/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service`` -> ``user@1000.service``: what lies below
    that is the user's own docker.service.
    """
    return next((part for part in group.split("/") if part.endswith((".service", ".scope"))), "")
