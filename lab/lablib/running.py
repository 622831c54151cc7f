"""What runs in a folder of the cache: one process, which the folder's file pid names."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path


def process(folder: Path) -> int | None:
    """The ID of the process that runs there; another one that has got the ID since does not name the folder."""
    try:
        pid = int((folder / "pid").read_text())
        argv = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if f"{folder}/".encode() in argv else None


def end(folder: Path, patience: float = 0) -> None:
    """End it, and wait until it is gone; within ``patience`` seconds it can do so by itself."""
    pid = process(folder)
    if pid is None:
        return
    until = time.monotonic() + patience
    # It can end between the question and the signal.
    with contextlib.suppress(ProcessLookupError):
        if patience:
            os.kill(pid, signal.SIGTERM)
        while process(folder) is not None:
            if time.monotonic() >= until:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Free ports of 127.0.0.1, all different."""
    sockets = [socket.socket() for _each in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
