"""Commands on a machine; the machines are disposable, and so are their host keys."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import IO

from . import cache
from .cache import LabError
from .running import process

TIMEOUT = 600
OPTIONS = (
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "LogLevel=ERROR",
    "ConnectTimeout=10",
)


def identity() -> Path:
    """The private key of this cache, made when absent; the public one is beside it."""
    path = cache.root() / "ssh_key"
    with cache.lock("ssh_key"):
        if not path.exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)]
            subprocess.run(argv, check=True)
    return path


def argv(port: int) -> list[str]:
    """ssh to root; a command can follow."""
    options = [word for option in OPTIONS for word in ("-o", option)]
    return ["ssh", "-i", str(identity()), "-p", str(port), *options, "root@127.0.0.1"]


def run(port: int, command: str, stdin: IO[bytes] | int = subprocess.DEVNULL) -> str:
    """What a shell command prints."""
    done = subprocess.run([*argv(port), command], stdin=stdin, capture_output=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise LabError(f"On the machine, `{command}` failed with {done.returncode}: {said}")
    return done.stdout.decode()


def wait(port: int, folder: Path) -> None:
    """Until ssh answers on the machine that runs in this folder."""
    deadline = time.monotonic() + TIMEOUT
    while subprocess.run([*argv(port), "true"], capture_output=True, check=False).returncode:
        if process(folder) is None:
            raise LabError(f"The machine ended before it answered by ssh; {folder / 'console.log'} shows why.")
        if time.monotonic() > deadline:
            raise LabError(
                f"The machine did not answer by ssh within {TIMEOUT} s: this one is too busy for it, or its system did not "
                f"start, which {folder / 'console.log'} shows."
            )
        time.sleep(0.2)
