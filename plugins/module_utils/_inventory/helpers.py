# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of this collection that help while workloads move: whether systemd can start them (private to the collection)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .._common.files import text_of

UNIT_DIR = "/etc/systemd/system"
_STARTS = re.compile(r"^ExecStart=[-@:+!]*(/\S+)", re.MULTILINE)


def broken() -> list[str]:
    """Those whose program has gone from the host, as a Python does when the distribution is upgraded, each with the program."""
    return [
        "{0} ({1})".format(path.name, program)
        for path in sorted(Path(UNIT_DIR).glob("docker_to_podman-*.service"))
        for program in sorted(set(_STARTS.findall(text_of(path))))
        if not os.access(program, os.X_OK)
    ]
