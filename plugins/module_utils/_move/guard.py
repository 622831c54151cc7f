# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the host helps itself while a migration is under way (private to the collection).

There are two kinds of services, from the first move until Docker is retired. One brings interrupted moves to one side: when
the program that made one fails, at a boot, and whenever Docker starts. It is this program, and needs Python. The others, one
for each workload that has moved, keep Docker from taking back what the workload needs. They need nothing but the system
(``_workload/coexistence.py``).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterator

from .._common import zipapp
from .._common.command import run
from .._common.errors import UserError, message_of
from .._common.files import make_folder, remove_file, sync_folder, write_file
from .._state.engine_state import EngineState
from .._state.records import StateError
from .._workload import coexistence
from . import persistence, recovery

RECOVER = "docker_to_podman-recover.service"
# Of an earlier version, which ran this program for all workloads.
_COEXIST = "docker_to_podman-coexist.service"
UNIT_DIR = "/etc/systemd/system"
# There while a move may be under way: without it no boot needs Python.
_UNDER_WAY = "under_way"
_PROGRAM = "program.pyz"
_PYTHON = "/usr/bin/python3"
_PLAIN = re.compile(r"/[A-Za-z0-9_./-]+\Z")
_UNITS = {
    RECOVER: """\
[Unit]
Description=Bring workloads whose move between Docker and Podman was interrupted to one side
ConditionPathExists={state_dir}/under_way
After=docker.service network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command} recover {state_dir}
TimeoutStartSec=infinity
Restart=on-failure
RestartSec=5
RestartPreventExitStatus={given_up}

[Install]
WantedBy=multi-user.target docker.service
""",
}


def install(state_dir: str) -> None:
    """Put the services there, before anything is moved."""
    if not _PLAIN.match(state_dir):
        raise StateError(
            "{0!r} cannot stand in a unit of systemd; choose a folder with a plain name.".format(state_dir)
        )
    for engine in _engines(state_dir):
        _guarded(engine)
    if Path(UNIT_DIR, _COEXIST).exists():
        coexistence.forget([_COEXIST])
    write_file(Path(state_dir, _UNDER_WAY), "")
    target = Path(state_dir, _PROGRAM)
    make_folder(target.parent)
    part = target.with_suffix(".part")
    zipapp.write(part)
    with open(str(part), "rb") as stream:
        os.fsync(stream.fileno())
    os.replace(str(part), str(target))
    sync_folder(target.parent)
    command = "{0} {1}".format(interpreter(), target)
    wanted = {
        name: text.format(command=command, given_up=persistence.GIVEN_UP, state_dir=state_dir)
        for name, text in _UNITS.items()
    }
    if any(_text(name) != text for name, text in wanted.items()):
        for name, text in wanted.items():
            write_file(Path(UNIT_DIR, name), text, mode=0o644)
        run(["systemctl", "daemon-reload"])
    run(["systemctl", "enable", "--quiet", *_UNITS])
    # The links that make them start at a boot.
    run(["sync", "--file-system", UNIT_DIR])


def interpreter() -> str:
    """The Python of the services. An upgrade of the distribution takes one away that has its version in its name, such as
    the one that Ansible found; it leaves ``python3``."""
    is_new_enough = "import sys; sys.exit(sys.version_info < (3, 8))"
    try:
        run([_PYTHON, "-c", is_new_enough])
    except UserError:
        return sys.executable
    return _PYTHON


def found(state_dir: str) -> list[str]:
    """What of it is there."""
    paths = [*(Path(UNIT_DIR, name) for name in (*_UNITS, _COEXIST)), *coexistence.found(), Path(state_dir, _PROGRAM)]
    return [str(path) for path in paths if path.exists()]


def is_needed(state_dir: str) -> bool:
    """Whether a workload is under way on this host, or has left a Docker that still runs."""
    has_left = any(engine.committed() and not engine.retired for engine in _engines(state_dir))
    return has_left or is_under_way(state_dir)


def is_under_way(state_dir: str) -> bool:
    """Whether a workload of this host is on its way between the engines."""
    return any(
        recovery.is_under_way(engine.journal(name)) for engine in _engines(state_dir) for name in engine.journals()
    )


def remove(state_dir: str) -> None:
    """Take the services away again, unless they are needed; without a move under way no boot needs them to recover one."""
    mark = Path(state_dir, _UNDER_WAY)
    # Runs alone take it away: what recovers could meet a run that has put it there and not begun.
    if mark.exists() and not is_under_way(state_dir):
        mark.unlink()
    there = found(state_dir)
    if there and not is_needed(state_dir):
        coexistence.forget([Path(path).name for path in there if path.endswith(".service")])
        remove_file(Path(state_dir, _PROGRAM))
        for engine in _engines(state_dir):
            shutil.rmtree(str(engine.coexist_path), ignore_errors=True)


def calm(state_dir: str) -> None:
    """Have systemd forget that moves failed, when all of them have been brought to one side since."""
    # Of what a damaged journal is about nobody knows.
    with suppress(StateError):
        if not is_under_way(state_dir):
            run(["systemctl", "reset-failed", "--", persistence.MOVES, RECOVER], check=False)


def main(what: str, state_dir: str) -> int:
    """The services themselves; returns the exit code."""
    return TASKS[what](state_dir)


def recover(state_dir: str) -> int:
    """Bring what was interrupted to one side, however long that takes."""
    code = persistence.main(list(_engines(state_dir)))
    calm(state_dir)
    return code


def _guarded(engine: EngineState) -> int:
    """``coexist`` for one engine, whose trouble is not that of the others."""
    try:
        return coexist(engine)
    except (UserError, OSError) as error:
        _say("{0}: {1}".format(engine.engine_id, message_of(error)))
        return 1


def coexist(engine: EngineState) -> int:
    """Have Docker keep from the addresses of workloads that Podman owns, and let their traffic pass its rules; 1 when that
    fails, which is said and keeps no other work from being done."""
    try:
        coexistence.install(engine.coexist_path, recovery.moved(engine))
    except UserError as error:
        _say("{0}: {1}".format(engine.engine_id, error))
        return 1
    return 0


TASKS: dict[str, Callable[[str], int]] = {"recover": recover}


def _say(sentence: str) -> None:
    """Into the journal of the service."""
    sys.stdout.write(sentence + "\n")


def _engines(state_dir: str) -> Iterator[EngineState]:
    for path in sorted(Path(state_dir).glob("*/engine.json")):
        yield EngineState(path.parent)


def _text(name: str) -> str:
    path = Path(UNIT_DIR, name)
    return path.read_text(encoding="utf-8") if path.exists() else ""
