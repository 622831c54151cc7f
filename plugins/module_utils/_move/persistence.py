# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service that recovers: it tries until every interrupted move is on one side (private to the collection).

Docker may be back in a second or in a week, and then nobody has to ask for anything. A try that ended with an error is
followed by another; one that took the process or the host down with it is, too, but not for ever.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import Any, Iterator, Sequence

from .._common.errors import UserError, message_of
from .._common.parallel import each
from .._common.signals import Interrupted, require_undisturbed
from .._docker import daemons
from .._docker.api import Docker, DockerError
from .._host import cgroups
from .._podman import units
from .._state import journal, ownership
from .._state.engine_state import EngineState
from .._state.journal import DOCKER, append_journal
from .._state.records import StateError
from . import recovery

MOVES = "docker_to_podman-workloads.service"
"""The service that moves workloads (``_job/client.py``)."""
DONE, AGAIN, GIVEN_UP, WAITS = 0, 1, 2, 3
"""How a try ended: nothing is left, something failed, nothing is left but what was given up, or Docker does not answer."""
# A start that takes the host down with it shall not do so at every boot.
_TRIES = 5
# Earlier programs wrote "recover" before a try and nothing after it: theirs say nothing of how it ended, and do not count.
_BEGUN, _FAILED = "recover_begun", "recover_failed"
_FIRST_PAUSE, _LOOK, _TELLING = 2.0, 2.0, 5.0
_DYING, _STEP = 3.0, 0.05
# Seconds. Tries that fail write into the journal; to ask Docker costs nothing.
_LONGEST_PAUSE = {AGAIN: 300.0, WAITS: 10.0}


def main(engines: Sequence[EngineState]) -> int:
    """Bring what was interrupted to one side, in all engines at once: the silence of one is not that of the others. Returns
    DONE or GIVEN_UP, or DONE when it is told to end."""
    try:
        return max(each(_persist, engines), default=DONE)
    except Interrupted:
        return DONE


def _persist(engine: EngineState) -> int:
    tries, number = Tries(engine), 0
    while True:
        with _at_work():
            outcome = tries.once()
        if outcome in (DONE, GIVEN_UP):
            return outcome
        number = 0 if rest(engine, pause(number, outcome)) else number + 1


def pause(number: int, outcome: int) -> float:
    """Seconds until the next try, after ``number`` others."""
    return min(_FIRST_PAUSE * 2.0 ** min(number, 30), _LONGEST_PAUSE[outcome])


def rest(engine: EngineState, seconds: float) -> bool:
    """Wait so long. True, at once, when a dockerd comes or goes, or another run writes into a journal."""
    seen, until = _signs(engine), time.monotonic() + seconds
    while time.monotonic() < until:
        require_undisturbed()
        time.sleep(min(_LOOK, seconds))
        if _signs(engine) != seen:
            return True
    return False


def _signs(engine: EngineState) -> Any:
    written = {name: engine.journal_path(name).stat().st_mtime_ns for name in engine.journals()}
    return [dockerd.pid for dockerd in daemons.running()], written


class Tries:
    """Tries to bring the interrupted moves of an engine to one side."""

    def __init__(self, engine: EngineState) -> None:
        self._engine = engine
        self._said: dict[str, str] = {}
        self._uncounted: set[str] = set()

    def once(self) -> int:
        """DONE, AGAIN, GIVEN_UP or WAITS."""
        try:
            return self._once()
        except (UserError, OSError) as error:
            self._say(self._engine.engine_id, message_of(error))
            return AGAIN

    def _once(self) -> int:
        # Not while the lock is held: Docker may take its time to say nothing.
        silence = self._silence()
        with ownership.locked(self._engine, wait=True):
            _end_strays()
            left = {name: left for name in self._engine.journals() for left in [self._left(name, silence)] if left}
            names, broken = recovery.recover(self._engine, Docker(self._engine.socket), leave=list(left))
            for name in broken:
                # A full disk is no reason to end.
                with suppress(OSError):
                    self._note(name, _FAILED)
        for name, (_outcome, reason) in left.items():
            self._say(name, reason)
        for name in names:
            self._say(name, broken[name]["reason"] if name in broken else "brought to one side")
        found = {outcome for outcome, _reason in left.values()}.union(AGAIN for _name in broken)
        return next((outcome for outcome in (AGAIN, WAITS, GIVEN_UP) if outcome in found), DONE)

    def _silence(self) -> str:
        """Why Docker does not answer; "" when it does, and when nothing waits for it."""
        if not any(self._waits_for_docker(name) for name in self._engine.journals()):
            return ""
        try:
            _answer = Docker(self._engine.socket).version
        except DockerError as error:
            return str(error)
        return ""

    def _waits_for_docker(self, name: str) -> bool:
        try:
            events = self._engine.journal(name)
        except StateError:
            return False
        return recovery.is_under_way(events) and journal.owner(events) == DOCKER

    def _left(self, name: str, silence: str) -> tuple[int, str] | None:
        """Why nothing is tried for a workload this time, and what that makes of the try; None when it is tried."""
        try:
            if silence and self._waits_for_docker(name):
                return WAITS, "waits for Docker. {0}".format(silence)
            if recovery.is_under_way(self._engine.journal(name)):
                return self._counted(name)
        except StateError as error:
            return GIVEN_UP, str(error)
        return None

    def _counted(self, name: str) -> tuple[int, str] | None:
        """Count a try, before it: it may take the host down. Or why there is none."""
        begun = unended(self._engine.journal(name))
        if begun >= _TRIES:
            reason = "given up: {0} tries took the program or the host down with them; run the playbook again."
            return GIVEN_UP, reason.format(begun)
        try:
            self._note(name, _BEGUN)
        except OSError as error:
            # A full disk must not keep an application from coming back. But what was undone cannot be noted either, and to undo
            # it again and again would stop what runs.
            if name in self._uncounted:
                return AGAIN, "its journal cannot be written: {0}".format(message_of(error))
            self._uncounted.add(name)
        return None

    def _note(self, name: str, event: str) -> None:
        append_journal(self._engine.journal_path(name), {"event": event, "step": "recover", "data": {}})

    def _say(self, name: str, sentence: str) -> None:
        """Into the journal of the service, unless it was the last that was said there."""
        if self._said.get(name) != sentence:
            self._said[name] = sentence
            sys.stdout.write("{0}: {1}\n".format(name, sentence))
            sys.stdout.flush()


def _end_strays() -> None:
    """End what a program that was cut off has started: it would go on with what is undone here. UserError when that cannot be
    ended."""
    until = time.monotonic() + _DYING
    strays = _strays()
    while strays:
        if time.monotonic() > until:
            raise UserError(
                "Nothing is tried while what a move that was cut off has started cannot be ended: {0} of {1}.".format(
                    ", ".join("process {0}".format(pid) for pid in strays), MOVES
                )
            )
        for pid in strays:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_STEP)
        strays = _strays()


def _strays() -> list[int]:
    found = [pid for pid, _unit in cgroups.processes_in([MOVES])]
    # Of a program that lives they are not astray: it is about to wait for the lock, or has another engine's.
    return found if found and not units.services([MOVES])[MOVES].is_active else []


def unended(events: Sequence[Any]) -> int:
    """How many tries in a row, up to now, to bring the last attempt to an end came to no end themselves."""
    count = 0
    for event in journal.attempts(events)[-1]:
        count = 0 if event["event"] == _FAILED else count + (event["event"] == _BEGUN)
    return count


# What systemd knows

_busy: list[None] = []
_busy_lock = threading.Lock()


@contextmanager
def _at_work() -> Iterator[None]:
    """systemd shows a service that waits as active, and one at work as activating or reloading: who wants to begin a move
    waits for the latter only."""
    with _busy_lock:
        _busy.append(None)
        _tell("RELOADING=1")
    try:
        yield
    finally:
        with _busy_lock:
            _busy.pop()
            if not _busy:
                _tell("READY=1")


def _tell(state: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stream:
        # A systemd that is busy must not hold up what it is told about.
        stream.settimeout(_TELLING)
        stream.connect("\0" + address[1:] if address.startswith("@") else address)
        stream.send(state.encode())
