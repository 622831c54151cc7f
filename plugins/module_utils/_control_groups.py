# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether any process of a container is left, as the kernel sees it (private to the collection).

Documentation/admin-guide/cgroup-v2.rst: ``populated`` in cgroup.events is 0 when neither a group nor those below it
have a live process. By then a process has closed its files.
"""

from __future__ import annotations

import errno
from pathlib import Path

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._process_view import parse_cgroup

_ROOT = "/sys/fs/cgroup"
_GONE = (errno.ENOENT, errno.ENODEV)


def events_of(pid: int, proc: str = "/proc", root: str = _ROOT) -> Path | None:
    """The file that tells about the control group of a container's first process; None on a host without cgroups v2, or
    when the process has ended."""
    try:
        group = parse_cgroup(Path(proc, str(pid), "cgroup").read_text(encoding="utf-8"))
    except OSError:
        return None
    if group is None or group[0]:
        return None
    events = Path(root + group[1], "cgroup.events")
    return events if events.is_file() else None


def is_deserted(events: Path | None) -> bool:
    """Whether the group has no live process, or is gone; False when nobody knows."""
    if events is None:
        return False
    try:
        return "populated 0" in events.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        if error.errno in _GONE:
            return True
        raise
