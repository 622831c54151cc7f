# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program with an argument vector (private to the collection)."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, NamedTuple, Sequence

from .errors import UserError
from .terminal import plain

_TAIL_LINES = 8


class CommandError(UserError):
    """A program failed. The message names it, its exit code and the end of what it said on stderr."""


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
    """Run ``argv`` without a shell, in the folder ``cwd``; ``env`` is added to the environment, ``timeout`` is in seconds.

    Raises CommandError when the program is missing, takes too long, or (with ``check``) exits with another code than 0.
    """
    name = os.path.basename(argv[0])
    try:
        done = subprocess.run(
            list(argv),
            input=input.encode() if isinstance(input, str) else input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            cwd=cwd,
            check=False,
        )
    except FileNotFoundError:
        raise CommandError("{0} is not installed on this host.".format(name)) from None
    except subprocess.TimeoutExpired:
        raise CommandError("{0} did not finish within {1:.0f} s.".format(name, timeout or 0)) from None
    except OSError as error:
        raise CommandError("{0} could not be run: {1}.".format(name, error.strerror)) from None
    result = Completed(
        done.returncode, done.stdout.decode(errors="replace"), plain(done.stderr.decode(errors="replace"))
    )
    if check and result.rc != 0:
        raise CommandError(_failure(argv, result))
    return result


def watch(argv: Sequence[str], see: Callable[[str], None], nudge: float = 0) -> Completed:
    """Run ``argv`` and hand each line of its output to ``see`` at once, also those that end in a carriage return. It gets
    SIGCHLD every ``nudge`` seconds, which ends what it waits for in the kernel when it has a handler for it.

    Raises CommandError when the program is missing; its exit code is the caller's to judge.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "LC_ALL": "C"},
                universal_newlines=True,
                errors="replace",
            )
        except FileNotFoundError:
            raise CommandError("{0} is not installed on this host.".format(os.path.basename(argv[0]))) from None
        with process:
            with _nudged(process, nudge):
                for line in process.stdout or ():
                    see(line.rstrip("\n"))
        errors.seek(0)
        return Completed(process.returncode, "", plain(errors.read().decode(errors="replace")))


@contextmanager
def _nudged(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
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


def _failure(argv: Sequence[str], result: Completed) -> str:
    tail = " | ".join(line.strip() for line in result.stderr.strip().splitlines()[-_TAIL_LINES:])
    # Only program and subcommand: later arguments may hold values that belong in no log.
    return "{0} failed with exit code {1}: {2}".format(
        shlex.quote(" ".join(argv[:2])), result.rc, tail or "it said nothing on stderr"
    )
