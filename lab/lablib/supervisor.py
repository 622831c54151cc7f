"""Keeps a machine running that has this machine's kernel: boots it again, leads ports to it, does what is asked of it.

usage: python -m lablib.supervisor FOLDER/ HERE:PORT...; HERE on 127.0.0.1 leads to PORT of the machine
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from . import forward
from .cache import LabError
from .machine import Machine

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
ADDRESS = "10.0.2.15"
DONE = "done"
# How long a power cut waits for its consequences, and how long a client may be silent, in seconds.
INTERVAL, SILENCE = 0.02, 5


def main(folder: Path, rules: list[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit())
    listeners = {rule.split(":")[1]: socket.create_server(("127.0.0.1", int(rule.split(":")[0]))) for rule in rules}
    control = socket.socket(socket.AF_UNIX)
    control.bind(str(folder / "control"))
    control.listen()
    # The listeners stay where they were made; mounts and links go with this process.
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    machine = Machine(folder)
    try:
        for port, listener in listeners.items():
            forward.serve(listener, (ADDRESS, int(port)))
        while True:
            machine.heed()
            attend(machine, control, INTERVAL)
    finally:
        machine.end()


def attend(machine: Machine, control: socket.socket, seconds: float) -> None:
    """Wait so long for somebody who asks for something, and do it; who goes away meanwhile harms nobody."""
    control.settimeout(seconds)
    with contextlib.suppress(OSError):
        connection, _address = control.accept()
        with connection:
            connection.settimeout(SILENCE)
            connection.sendall(_answer(machine, connection.recv(4096).decode(errors="replace")).encode())


def _answer(machine: Machine, request: str) -> str:
    what, _space, tag = request.partition(" ")
    acts = {"save": machine.save, "load": machine.load}
    if what not in acts:
        return f"{what!r} is none of {', '.join(acts)}"
    try:
        acts[what](tag)
    except (LabError, OSError, subprocess.SubprocessError) as error:
        return str(error)
    return DONE


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
