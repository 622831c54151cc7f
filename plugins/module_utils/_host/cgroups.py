# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether any process of a container is left, as the kernel sees it (private to the collection).

Documentation/admin-guide/cgroup-v2.rst: ``populated`` in cgroup.events is 0 when neither a group nor those below it
have a live process. By then a process has closed its files. The first process of a container is dead only after those
of its PID namespace, wherever their groups are (pid_namespaces(7)).
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Iterable, NamedTuple

from .._common import families
from .._common.files import text_of
from .processes import parse_cgroup

_ROOT = "/sys/fs/cgroup"
_GONE = (errno.ENOENT, errno.ENODEV, errno.ESRCH)


class Watch(NamedTuple):
    """The files that tell about the group of a container (cgroup.events), and about its first process (proc(5), stat)."""

    events: Path
    stat: Path


def watch(pid: int, container: str, proc: str = "/proc", root: str = _ROOT) -> Watch | None:
    """What to look at for the container with this ID and first process; None where that does not say enough: on a host
    without cgroups v2, or when the process has ended or is in no group of that container's."""
    group = parse_cgroup(text_of(Path(proc, str(pid), "cgroup")))
    if group is None or group[0]:
        return None
    # A first process can have gone to a group below, as systemd does, while its siblings are in others.
    parts = group[1].split("/")
    own = [number for number, part in enumerate(parts, 1) if container in part]
    events = Path(root, *parts[1 : own[0]], "cgroup.events") if own else Path()
    return Watch(events, Path(proc, str(pid), "stat")) if events.is_file() else None


def is_deserted(watched: Watch | None) -> bool:
    """Whether no process of a container is left; False where there is nothing to look at. OSError when it cannot be read."""
    if watched is None:
        return False
    told = _text(watched.events).splitlines()
    return (not told or "populated 0" in told) and _is_dead(_text(watched.stat))


def processes_in(units: Iterable[str], proc: str = "/proc") -> list[tuple[int, str]]:
    """The processes in control groups of units of this host's systemd, or below, and each one's unit; those that are dead
    aside. A machine or container inside of the host can have units of the same name, which are not meant."""
    wanted, found = set(units), []
    tops = {hierarchy: path.rsplit("/init.scope", 1)[0] for hierarchy, path in _groups(Path(proc, "1"))}
    for entry in filter(str.isdigit, os.listdir(proc)):
        its = {_unit(path, tops.get(hierarchy, "")) for hierarchy, path in _groups(Path(proc, entry))} & wanted
        if its and not _is_dead(_text(Path(proc, entry, "stat"))):
            found.append((int(entry), min(its)))
    return sorted(found)


def _groups(process: Path) -> list[tuple[str, str]]:
    """Hierarchy and path of each control group of a process (cgroups(7): ``id:controllers:path``)."""
    lines = [line.split(":", 2) for line in _text(process / "cgroup").splitlines()]
    return [(words[0], words[2].rstrip("/")) for words in lines if len(words) == 3]


def _unit(path: str, top: str) -> str:
    """The unit that a group belongs to, below slices alone and the group ``top`` of systemd itself; "" when it is in none."""
    if not path.startswith(top + "/"):
        return ""
    return next((part for part in path[len(top) + 1 :].split("/") if not part.endswith(".slice")), "")


def _is_dead(stat: str) -> bool:
    return not stat or families.stat_fields(stat)[0] in families.DEAD


def _text(path: Path) -> str:
    """What the kernel says there; "" when what it is about is gone."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if error.errno in _GONE:
            return ""
        raise
