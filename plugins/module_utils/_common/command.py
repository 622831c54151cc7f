# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program with an argument vector (private to the collection)."""

from __future__ import annotations

import codecs
import os
import re
import selectors
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from typing import IO, Any, Callable, Iterator, NamedTuple, Sequence

from . import deadlines, families
from .deadlines import Deadline
from .errors import UserError
from .terminal import plain

_TAIL_LINES = 8
_LOOK = 5.0
_CHUNK = 65536


class CommandError(UserError):
    """A program failed. The message names it, its exit code and the end of what it said on stderr."""


class CommandTimeout(CommandError):
    """A program took too long, and was ended with all that it started, as far as that was possible (``families.left``)."""


class Completed(NamedTuple):
    """What a program left: its exit code and its decoded output."""

    rc: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    input: str | bytes | None = None,
    check: bool = True,
    timeout: float | None = None,
    env: dict[str, str] | None = None,
    cwd: str | None = None,
) -> Completed:
    """Run ``argv`` without a shell, in the folder ``cwd``; ``env`` is added to the environment, ``timeout`` is in seconds and
    takes the place of the row in ``deadlines``.

    Raises CommandError when the program is missing, takes too long, or (with ``check``) exits with another code than 0.
    """
    deadline = deadlines.of(argv) if timeout is None else Deadline(deadlines.capped(timeout))
    process = _start(
        argv,
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
        cwd=cwd,
    )
    with _ended(process, argv):
        out, err = _output(process, argv, deadline, input.encode() if isinstance(input, str) else input)
    result = Completed(process.returncode, out.decode(errors="replace"), plain(err.decode(errors="replace")))
    if check and result.rc != 0:
        raise CommandError(_failure(argv, result))
    return result


def watch(argv: Sequence[str], see: Callable[[str], None], nudge: float = 0) -> Completed:
    """Run ``argv`` and hand each line of its output to ``see`` at once, also those that end in a carriage return. It gets
    SIGCHLD every ``nudge`` seconds, which ends what it waits for in the kernel when it has a handler for it.

    Raises CommandError when the program is missing or takes too long; its exit code is the caller's to judge.
    """
    with tempfile.TemporaryFile() as errors:
        process = _start(argv, stdin=subprocess.DEVNULL, stderr=errors, env={**os.environ, "LC_ALL": "C"})
        with _ended(process, argv):
            clock = _Clock(process, argv, deadlines.of(argv))
            with _nudged(process, nudge):
                if process.stdout:
                    for line in _lines(process.stdout, clock):
                        see(line)
                _wait(process, clock)
        errors.seek(0)
        return Completed(process.returncode, "", plain(errors.read().decode(errors="replace")))


@contextmanager
def _nudged(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    if not seconds:
        yield
        return
    over = threading.Event()

    def nudge() -> None:
        while not over.wait(seconds):
            process.send_signal(signal.SIGCHLD)

    thread = threading.Thread(target=nudge)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _start(argv: Sequence[str], **given: Any) -> subprocess.Popen[bytes]:
    name = os.path.basename(argv[0])
    try:
        # In a session of its own, by which what it has started is found when it has ended itself.
        return subprocess.Popen(list(argv), stdout=subprocess.PIPE, start_new_session=True, **given)
    except FileNotFoundError:
        raise CommandError("{0} is not installed on this host.".format(name)) from None
    except OSError as error:
        raise CommandError("{0} could not be run: {1}.".format(name, error.strerror)) from None


@contextmanager
def _ended(process: subprocess.Popen[bytes], argv: Sequence[str]) -> Iterator[None]:
    """Whatever happens in here, the program and what it started do not outlive it."""
    try:
        yield
    except BaseException:
        families.end(process, os.path.basename(argv[0]))
        raise


def _output(
    process: subprocess.Popen[bytes], argv: Sequence[str], deadline: Deadline, given: bytes | None
) -> tuple[bytes, bytes]:
    clock = _Clock(process, argv, deadline)
    while True:
        try:
            # Input is given once; what has come out by then is not lost.
            return process.communicate(given, clock.step())
        except subprocess.TimeoutExpired:
            given = None
            clock.check()


def _wait(process: subprocess.Popen[bytes], clock: _Clock) -> None:
    while True:
        try:
            process.wait(clock.step())
            return
        except subprocess.TimeoutExpired:
            clock.check()


def _lines(stream: IO[bytes], clock: _Clock) -> Iterator[str]:
    decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(clock.step()):
                clock.check()
                continue
            chunk = os.read(stream.fileno(), _CHUNK)
            *lines, rest = re.split("[\r\n]", rest + decoder.decode(chunk, final=not chunk))
            yield from lines
            if not chunk:
                stream.close()
                yield from filter(None, [rest])
                return


class _Clock:
    """How long a program may go on."""

    def __init__(self, process: subprocess.Popen[bytes], argv: Sequence[str], deadline: Deadline) -> None:
        self._pid, self._name, self._deadline = process.pid, os.path.basename(argv[0]), deadline
        self._until, self._seen = time.monotonic() + deadline.seconds, None

    def step(self) -> float:
        """Seconds until the next check."""
        left = max(0.0, self._until - time.monotonic())
        return min(left, _LOOK) if self._deadline.is_idle else left

    def check(self) -> None:
        """CommandTimeout when its time is over."""
        if self._deadline.is_idle:
            seen = families.activity(self._pid)
            if seen != self._seen:
                self._seen, self._until = seen, time.monotonic() + self._deadline.seconds
        if time.monotonic() >= self._until:
            said = "has done nothing for {0:.0f} s" if self._deadline.is_idle else "did not finish within {0:.0f} s"
            raise CommandTimeout("{0} {1}.".format(self._name, said.format(self._deadline.seconds)))


def _failure(argv: Sequence[str], result: Completed) -> str:
    tail = " | ".join(line.strip() for line in result.stderr.strip().splitlines()[-_TAIL_LINES:])
    # Only program and subcommand: later arguments may hold values that belong in no log.
    return "{0} failed with exit code {1}: {2}".format(
        shlex.quote(" ".join(argv[:2])), result.rc, tail or "it said nothing on stderr"
    )
