# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of JSON in the folder of the state: their names, their format, reading and writing them (private to the collection)."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from .._common.errors import UserError
from .._common.files import write_file

STATE_DIR = "/var/lib/docker_to_podman"
SCRATCH_DIR = "/run/docker_to_podman"
FORMAT = 1
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,200}\Z")
REMEDY = "Restore it from a backup or move it away and run the role assess again; nothing was changed."


class StateError(UserError):
    """A record is missing, damaged or of another format. The message names the file and says what to do."""


def safe_name(name: str) -> str:
    """Return ``name`` when it may become the name of a file; StateError otherwise."""
    if not _SAFE_NAME.match(name):
        raise StateError("{0!r} cannot be the name of a file; nothing was written.".format(name))
    return name


def short_name(workload: str) -> str:
    """12 characters that stand for a workload where the kernel or a program takes few, and plain ones only."""
    return hashlib.sha256(workload.encode()).hexdigest()[:12]


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a record. Raises StateError when it is missing, damaged or not of a format this version knows."""
    document = load_json(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StateError("{0} is not a record of format {1}. {2}".format(path, FORMAT, REMEDY))
    return document


def load_json(path: str | Path) -> Any:
    """Whatever a file of JSON holds. Raises StateError when it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StateError("{0} does not exist; run the role assess first.".format(path)) from None
    except OSError as error:
        raise StateError("{0} cannot be read: {1}.".format(path, error.strerror)) from None
    except (ValueError, RecursionError) as error:
        raise StateError("{0} is damaged ({1}). {2}".format(path, error, REMEDY)) from None


def write_json(path: str | Path, document: dict[str, Any]) -> None:
    """Write a record so that after a power cut either the old or the new one is there, whole."""
    write_file(path, json.dumps(document, indent=1, sort_keys=True) + "\n")


def boot_id() -> str:
    """What tells this boot of the host from all others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
