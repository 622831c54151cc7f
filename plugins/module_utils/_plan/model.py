# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a plan: findings, versions, names (private to the collection)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Tuple

from .._common.json import Json

BLOCKER = "blocker"
WARNING = "warning"
INFO = "info"
SEVERITIES = (BLOCKER, WARNING, INFO)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")

_LOST = re.compile(
    "[\x80\ufdd0-\ufdef{0}]".format("".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)))
)

Version = Tuple[int, int, int]


class PlanError(Exception):
    """The input cannot be planned at all. The message names the place and says what to do."""


@dataclass(frozen=True)
class Finding:
    """Something the user should know. ``subject`` is a container, volume, network or ``engine``."""

    severity: str
    code: str
    subject: str
    path: str
    message: str
    remedy: str

    def as_json(self) -> Json:
        return asdict(self)


def parse_version(text: str) -> Version:
    """``5.4.2+ds1-2`` -> ``(5, 4, 2)``. Raises PlanError when there is no version in it."""
    found = _VERSION.match(text.strip())
    if not found:
        raise PlanError(f"{text!r} is not a version of Podman; write it as in 5.4.2.")
    major, minor, patch = found.groups()
    return int(major), int(minor), int(patch or 0)


def is_safe_name(name: str) -> bool:
    """True for what Docker allows as a name; only such a name becomes a file name or an option."""
    return bool(_NAME.match(name))


def is_carried(value: str) -> bool:
    """False for characters that get lost on the way: systemd ignores a line with a noncharacter of Unicode, and
    Quadlet makes one byte of U+0080 (tried)."""
    return not _LOST.search(value)


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
