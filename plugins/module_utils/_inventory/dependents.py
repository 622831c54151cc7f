# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else on this host needs Docker: units of systemd and crontabs (private to the collection).

Only files are read, of which no text leaves this module: commands can hold secrets.
"""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Any, Iterable, Sequence

from .._common.command import run
from .._common.files import text_of
from .._podman.units import blocks

CRONTABS = (
    "/etc/crontab",
    "/etc/cron.d/*",
    "/etc/cron.hourly/*",
    "/etc/cron.daily/*",
    "/etc/cron.weekly/*",
    "/etc/cron.monthly/*",
    "/var/spool/cron/*",
    "/var/spool/cron/crontabs/*",
)
_SECONDS = 60
_PROGRAM = r"(?:/\S*/s?bin/|/s?bin/)?docker(?:-compose)?(?=[\s'\";)]|$)"
# Where a command begins: what only names docker among its arguments does not call it.
_CALL = re.compile(r"(?:^|[;&|(`'\"]|\b(?:env|exec|sudo|nice|ionice|nohup)\s)\s*" + _PROGRAM)
# The command of a crontab comes behind times and perhaps a user.
_SCHEDULED = re.compile(r"(?:^|[\s;&|(`'\"])" + _PROGRAM)
# systemd.service(5): what may stand before a command.
_SETTING = re.compile(r"\s*([A-Za-z]+)\s*=[-@:+!|\s]*(.*)")
# systemd.unit(5): with these, what stops docker.service stops the unit, too.
_TIES = frozenset(("Requires", "Requisite", "BindsTo", "PartOf"))
_DOCKERS = re.compile(r"(?:^|\s)docker\.(?:service|socket)(?=\s|$)")
_OWN = re.compile(r"docker\.(service|socket)\Z|docker_to_podman-|podman")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,200}\.(service|socket|timer|path|target)\Z")
_PATH = re.compile(r"/[A-Za-z0-9_./-]+\Z")
_ALIVE = ("active", "activating", "reloading")


def units(folders: Sequence[str]) -> list[dict[str, Any]]:
    """The units that call Docker (``calls``), or stop with it (``is_tied``), and run, or that systemd or another unit starts.

    ``folders``: systemd's unit path.
    """
    uses = {name: _use(text) for name, text in _texts(folders).items()}
    found = {name: use for unit, use in uses.items() if any(use.values()) for name in _instances(unit, folders)}
    # An instance with a file of its own is what that says.
    found.update({name: use for name, use in uses.items() if name in found})
    wanted = _wanted(sorted(found))
    return [{"name": name, **use} for name, use in sorted(found.items()) if name in wanted and any(use.values())]


def crontabs(patterns: Iterable[str] = CRONTABS) -> list[str]:
    """The crontabs that call Docker."""
    paths = sorted({path for pattern in patterns for path in glob.glob(pattern) if _PATH.match(path)})
    return [path for path in paths if any(_SCHEDULED.search(line) for line in _commands(Path(path)))]


def _texts(folders: Sequence[str]) -> dict[str, str]:
    """The unit files by name, with their drop-ins; the first folder that has a name decides."""
    texts: dict[str, str] = {}
    drops: dict[str, list[Path]] = {}
    for drop in (path for folder in folders for path in Path(folder).glob("*.d/*.conf")):
        drops.setdefault(drop.parent.name[: -len(".d")], []).append(drop)
    for folder in map(Path, folders):
        for path in sorted(folder.glob("*.*")) if folder.is_dir() else ():
            if _NAME.match(path.name) and not _OWN.match(path.name) and path.name not in texts and path.is_file():
                texts[path.name] = "\n".join(map(text_of, [path, *drops.get(path.name, [])]))
    return texts


def _use(text: str) -> dict[str, bool]:
    settings = [found.groups() for found in map(_SETTING.match, text.replace("\\\n", " ").splitlines()) if found]
    return {
        "calls": any(key.startswith("Exec") and _CALL.search(value) for key, value in settings),
        "is_tied": any(key in _TIES and _DOCKERS.search(value) for key, value in settings),
    }


def _instances(unit: str, folders: Sequence[str]) -> list[str]:
    """The unit itself, or of a template those instances that something wants."""
    prefix, at, suffix = unit.partition("@.")
    if not at:
        return [unit]
    pattern = "{0}@?*.{1}".format(prefix, suffix)
    wanted = {path.name for folder in folders for path in Path(folder).glob("*.wants/" + pattern)}
    return sorted(name for name in wanted if _NAME.match(name))


def _wanted(names: Sequence[str]) -> set[str]:
    """Those that run, or will be started by systemd or another unit."""
    if not names:
        return set()
    shown = run(
        ["systemctl", "show", "--property=Id,ActiveState,UnitFileState,TriggeredBy", "--", *names], timeout=_SECONDS
    ).stdout
    found = set()
    for values in blocks(shown):
        starts = values.get("UnitFileState", "").startswith(("enabled", "generated", "linked"))
        if values.get("ActiveState") in _ALIVE or starts or values.get("TriggeredBy"):
            found.add(values.get("Id", ""))
    return found


def _commands(path: Path) -> list[str]:
    return [line for line in text_of(path).splitlines() if not line.lstrip().startswith("#")]
