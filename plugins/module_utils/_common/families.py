# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program and all that it started: whether it does anything, and its end (private to the collection).

Ending a client is not ending its work: what it started goes on, in sessions of its own, too. And what cannot be ended,
because it waits for a disk in the kernel, is not waited for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import Any, NamedTuple

_GRACE, _STEP = 3.0, 0.02
# proc(5), /proc/PID/stat behind the name of the program: state, parent, session, user and system time, start.
_STATE, _PARENT, _SESSION, _TIMES, _START = 0, 1, 3, slice(11, 13), 19
DEAD = ("Z", "X")


def _opened() -> int:
    with suppress(OSError):
        return os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return -1


# Opened once: a thread that works on hostile trees has no /proc (``_trees/mount_namespace.py``).
_PROC = _opened()


class Member(NamedTuple):
    """A process, told from a later one of the same number by the moment of its start."""

    pid: int
    start: str


_left: dict[Member, str] = {}


def members(pid: int, proc: int = _PROC) -> list[Member]:
    """A process, all that came from it, and what else is in its session; those that are dead aside."""
    children: dict[int, list[int]] = {}
    alive: dict[int, Member] = {}
    left = [pid]
    for entry in filter(str.isdigit, os.listdir(proc)):
        words = _stat(entry, proc)
        if words:
            children.setdefault(int(words[_PARENT]), []).append(int(entry))
            left += [int(entry)] if words[_SESSION] == str(pid) else []
        if words and words[_STATE] not in DEAD:
            alive[int(entry)] = Member(int(entry), words[_START])
    found: set[int] = set()
    while left:
        number = left.pop()
        if number not in found:
            found.add(number)
            left += children.get(number, [])
    return [alive[number] for number in sorted(found) if number in alive]


def activity(pid: int, proc: int = _PROC) -> Any:
    """What a process and all that came from it have computed, read and written, to be compared with what it was before."""
    found = []
    for member in members(pid, proc):
        with suppress(OSError):
            done = _read("{0}/io".format(member.pid), proc)
            found.append((member, _stat(str(member.pid), proc)[_TIMES], done))
    return found


def end(process: subprocess.Popen[bytes], name: str) -> None:
    """Kill a process and all that came from it. What is not dead soon is not waited for, and noted."""
    condemned = members(process.pid)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with suppress(OSError):
                stream.close()
    until = time.monotonic() + _GRACE
    while True:
        for member in condemned:
            with suppress(OSError):
                os.kill(member.pid, signal.SIGKILL)
        process.poll()
        # One that was about to start another has done so.
        condemned = sorted({*filter(_is_alive, condemned), *members(process.pid)})
        if not condemned or time.monotonic() > until:
            break
        time.sleep(_STEP)
    _left.update((member, name) for member in condemned)


def left() -> list[str]:
    """What this program started, could not end, and still lives: it may do what it was started for at any moment."""
    for member in [member for member in _left if not _is_alive(member)]:
        del _left[member]
    return ["{0} (process {1})".format(name, member.pid) for member, name in _left.items()]


def _is_alive(member: Member) -> bool:
    words = _stat(str(member.pid), _PROC)
    return bool(words) and words[_STATE] not in DEAD and words[_START] == member.start


def stat_fields(stat: str) -> list[str]:
    """The fields of /proc/PID/stat behind the name of the program, which can have blanks and brackets."""
    return stat.rpartition(")")[2].split()


def _stat(entry: str, proc: int) -> list[str]:
    """Those of a process; none when it is gone."""
    try:
        return stat_fields(_read(entry + "/stat", proc))
    except OSError:
        return []


def _read(path: str, proc: int) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc), errors="replace") as stream:
        return stream.read()
