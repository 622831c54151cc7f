# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the host helps itself while a migration is under way (private to the collection).

What is there from the first move until Docker is retired: a service that brings an interrupted move to one side, when the
program that made it fails and at a boot; and for each workload that has moved one that keeps Docker, whenever it starts, from taking
back what it needs. The first is this program, and needs Python; the second needs nothing but the system
(``_workload/coexistence.py``).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Callable, Iterator, Sequence

from .._common import zipapp
from .._common.command import run
from .._common.errors import UserError, message_of
from .._common.files import make_folder, sync_folder, write_file
from .._docker.api import Docker
from .._state import journal, ownership
from .._state.engine_state import EngineState
from .._state.journal import append_journal
from .._state.records import StateError
from .._workload import coexistence
from . import recovery

RECOVER = "docker_to_podman-recover.service"
# Of an earlier version, which ran this program for all workloads.
_COEXIST = "docker_to_podman-coexist.service"
UNIT_DIR = "/etc/systemd/system"
# There while a move may be under way: without it no boot needs Python.
_UNDER_WAY = "under_way"
_PROGRAM = "program.pyz"
_PYTHON = "/usr/bin/python3"
# A start that takes the host down with it shall not do so at every boot.
_TRIES = 5
_GIVEN_UP = 2
_PLAIN = re.compile(r"/[A-Za-z0-9_./-]+\Z")
_UNITS = {
    RECOVER: """\
[Unit]
Description=Bring workloads whose move between Docker and Podman was interrupted to one side
ConditionPathExists={state_dir}/under_way
After=docker.service network-online.target
StartLimitIntervalSec=600
StartLimitBurst=10

[Service]
Type=oneshot
ExecStart={command} recover {state_dir}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus={given_up}

[Install]
WantedBy=multi-user.target
""",
}


def install(state_dir: str) -> None:
    """Put the services there, before anything is moved."""
    if not _PLAIN.match(state_dir):
        raise StateError(
            "{0!r} cannot stand in a unit of systemd; choose a folder with a plain name.".format(state_dir)
        )
    for engine in _engines(state_dir):
        _guarded(coexist, engine)
    _forget([path for path in [Path(UNIT_DIR, _COEXIST)] if path.exists()])
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
        name: text.format(command=command, given_up=_GIVEN_UP, state_dir=state_dir) for name, text in _UNITS.items()
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
        _forget([Path(path) for path in there])
        for engine in _engines(state_dir):
            shutil.rmtree(str(engine.coexist_path), ignore_errors=True)


def _forget(paths: Sequence[Path]) -> None:
    """Take units and what belongs to them away."""
    if paths:
        run(
            ["systemctl", "disable", "--quiet", *(path.name for path in paths if path.suffix == ".service")],
            check=False,
        )
        for path in paths:
            path.unlink()
        run(["systemctl", "daemon-reload"])


def main(what: str, state_dir: str) -> int:
    """The services themselves; returns the exit code."""
    return max((_guarded(TASKS[what], engine) for engine in _engines(state_dir)), default=0)


def _guarded(task: Callable[[EngineState], int], engine: EngineState) -> int:
    """A task for one engine, whose trouble is not that of the others."""
    try:
        return task(engine)
    except (UserError, OSError) as error:
        _say("{0}: {1}".format(engine.engine_id, message_of(error)))
        return 1


def recover(engine: EngineState) -> int:
    """Undo or finish what was interrupted; 0, 1 (try again) or 2 (given up)."""
    with ownership.locked(engine, wait=True):
        left = {name: reason for name in engine.journals() for reason in [_reason_to_leave(engine, name)] if reason}
        names, broken = recovery.recover(engine, Docker(engine.socket), leave=list(left))
    for name, reason in left.items():
        _say("{0}: {1}".format(name, reason))
    for name in names:
        _say("{0}: {1}".format(name, broken[name]["reason"] if name in broken else "brought to one side"))
    return 1 if broken else _GIVEN_UP if left else 0


def coexist(engine: EngineState) -> int:
    """Have Docker keep from the addresses of workloads that Podman owns, and let their traffic pass its rules; 1 when that
    fails, which is said and keeps no other work from being done."""
    try:
        coexistence.install(engine.coexist_path, recovery.moved(engine))
    except UserError as error:
        _say("{0}: {1}".format(engine.engine_id, error))
        return 1
    return 0


TASKS: dict[str, Callable[[EngineState], int]] = {"recover": recover}


def _reason_to_leave(engine: EngineState, name: str) -> str:
    """Why this service does nothing more about a workload; "" when it does."""
    try:
        tries = _tries(engine, name)
    except StateError as error:
        return str(error)
    except OSError:
        # A full disk, which cannot count the tries either, must not keep an application from coming back.
        return ""
    return "given up after {0} tries; run the playbook again.".format(_TRIES) if tries > _TRIES else ""


def _tries(engine: EngineState, name: str) -> int:
    """How often this service has tried to bring the last attempt to an end, this time included."""
    events = engine.journal(name)
    if not recovery.is_under_way(events):
        return 0
    append_journal(engine.journal_path(name), {"event": "recover", "step": "recover", "data": {}})
    return len([event for event in journal.attempts(events)[-1] if event["event"] == "recover"]) + 1


def _say(sentence: str) -> None:
    """Into the journal of the service."""
    sys.stdout.write(sentence + "\n")


def _engines(state_dir: str) -> Iterator[EngineState]:
    for path in sorted(Path(state_dir).glob("*/engine.json")):
        yield EngineState(path.parent)


def _text(name: str) -> str:
    path = Path(UNIT_DIR, name)
    return path.read_text(encoding="utf-8") if path.exists() else ""
