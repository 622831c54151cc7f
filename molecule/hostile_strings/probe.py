# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the containers: writes down what it was given, each byte as one character.

As /probe/probe it then sleeps; under any other name it is a health check and ends.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    """The file is named by engine and role, and is never seen half written."""
    engine = "podman" if os.path.exists("/run/.containerenv") else "docker"
    role = "start" if sys.argv[0] == "/probe/probe" else "check"
    part = f"/probe/{engine}.{role}.part"
    Path(part).write_text(json.dumps(given()) + "\n")
    os.rename(part, f"/probe/{engine}.{role}.json")
    if role == "start":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        while True:
            time.sleep(3600)


def given() -> dict[str, object]:
    """Arguments and environment as the kernel has them, working directory, host name, and the tokens of the mounts."""
    return {
        "arguments": _strings("cmdline"),
        "environment": _strings("environ"),
        "directory": os.getcwdb().decode("latin-1"),
        "hostname": os.uname().nodename,
        "mounts": dict(_tokens()),
    }


def _strings(name: str) -> list[str]:
    return Path(f"/proc/self/{name}").read_bytes().decode("latin-1").split("\0")[:-1]


def _tokens():
    """Each mount point with a file `token`, and what that says: the path outside."""
    for line in Path("/proc/self/mountinfo").read_bytes().split(b"\n")[:-1]:
        point = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4])
        token = point + b"/token"
        if os.path.exists(token):
            yield point.decode("latin-1"), Path(os.fsdecode(token)).read_bytes().decode("latin-1")


main()
