# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shims of containerd that outlived their container (private to the collection).

Each container of Docker has one, which begins its processes and waits for them. When dockerd is killed in the middle of a
stop, nobody ends the shim, and Docker cannot start the container any more: "task ... already exists" (seen on Docker 26.1;
containerd issues 2078 and 5015). containerd clears up behind a shim that ends.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from .._common import families

_PROGRAM, _FLAG = "containerd-shim", "-id"
_DYING, _STEP = 3.0, 0.05


def end_deserted(container: str) -> bool:
    """End the shims of a container (ID) below which no process is left. Whether there was one, and all have ended."""
    found = [pid for pid in _of(container) if len(families.members(pid)) == 1]
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + _DYING
    while any(families.members(pid) for pid in found):
        if time.monotonic() > until:
            return False
        time.sleep(_STEP)
    return bool(found)


def _of(container: str, proc: str = "/proc") -> list[int]:
    found = []
    for entry in filter(str.isdigit, os.listdir(proc)):
        with suppress(OSError):
            words = Path(proc, entry, "cmdline").read_bytes().decode(errors="replace").split("\0")
            if os.path.basename(words[0]).startswith(_PROGRAM) and (_FLAG, container) in zip(words, words[1:]):
                found.append(int(entry))
    return found
