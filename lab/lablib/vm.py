"""Virtual machines: QEMU continues what was saved."""

from __future__ import annotations

import time
from pathlib import Path

from . import emulator, image, qemu, running, snapshot, ssh
from .monitor import Monitor


def layers(machine_name: str) -> list[Path]:
    """What a machine is made of, built when absent."""
    boot, saved = snapshot.layers(machine_name)
    return [boot, saved, *emulator.choose(boot).layers]


def start(folder: Path, machine_name: str, made_of: list[Path], forwards: dict[int, int]) -> None:
    """Run a machine in the folder until it is killed."""
    boot, saved, *_program = made_of
    machine, program = image.definition(machine_name), emulator.choose(boot)
    qemu.create_disk(saved / "disk.qcow2", "qcow2", folder)
    qemu.start(qemu.command(machine, program.argv, folder, boot, forwards, saved / "state"))
    Monitor(folder / "qmp").resume()
    _wait(folder, forwards[22])


def kill(folder: Path) -> None:
    """Pull the plug."""
    running.end(folder)


def save(folder: Path, tag: str, _port: int) -> None:
    """A snapshot of disk and memory."""
    Monitor(folder / "qmp").human(f"savevm {tag}")


def load(folder: Path, tag: str, port: int) -> None:
    """Back to a snapshot."""
    Monitor(folder / "qmp").human(f"loadvm {tag}")
    _wait(folder, port)


def _wait(folder: Path, port: int) -> None:
    """Until ssh answers; and set the clock, which stood still while the machine was saved."""
    ssh.wait(port, folder)
    ssh.run(port, f"date --set=@{time.time():.2f}")
