"""Instances: machines that run, each a thin disk on top of a booted and saved one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from . import cache, emulator, image, qemu, snapshot, ssh
from .cache import LabError
from .monitor import Monitor


def folder_of(name: str) -> Path:
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,40}", name):
        raise LabError(f"{name!r} is no name for an instance: letters, digits, '-', '_', '.'.")
    return cache.root() / "instances" / name


def up(name: str, machine_name: str, ports: list[int]) -> dict[str, Any]:
    """Start an instance, or find it running."""
    folder = folder_of(name)
    with cache.lock(f"instance-{name}"):
        if qemu.process(folder) is not None:
            found = info(name)
            missing = {str(port) for port in ports} - set(found["forwards"])
            if found["machine"] != machine_name or missing:
                raise LabError(
                    f"{name} already runs as {found['machine']} with the forwards "
                    f"{', '.join(found['forwards']) or 'none'}; run `down {name}` first."
                )
            return found
        shutil.rmtree(folder, ignore_errors=True)
        boot, saved = snapshot.layers(machine_name)
        machine = image.definition(machine_name)
        program = emulator.choose(boot)
        port, *local = qemu.free_ports(1 + len(ports))
        forwards = dict(zip(ports, local, strict=True))
        record = {
            "name": name, "machine": machine_name, "accelerator": qemu.accelerator(boot),
            "address": "127.0.0.1", "port": port, "user": "root",
            "identity_file": str(ssh.identity()),
            "forwards": {str(guest): here for guest, here in forwards.items()},
            "layers": [layer.name for layer in (boot, saved, *program.layers)],
        }  # fmt: skip
        folder.mkdir(parents=True)
        (folder / "instance.json").write_text(json.dumps(record))
        qemu.create_disk(saved / "disk.qcow2", "qcow2", folder)
        all_forwards = {22: port, **forwards}
        try:
            qemu.start(qemu.command(machine, program.argv, folder, boot, all_forwards, saved / "state"))
            Monitor(folder / "qmp").resume()
            ssh.wait(port, folder)
        except BaseException:
            qemu.kill(folder)
            raise
    return record


def down(name: str) -> None:
    """Stop an instance and remove what it wrote; nothing to do when there is none."""
    folder = folder_of(name)
    with cache.lock(f"instance-{name}"):
        qemu.kill(folder)
        shutil.rmtree(folder, ignore_errors=True)


def info(name: str) -> dict[str, Any]:
    """What `up` answered."""
    folder = folder_of(name)
    if qemu.process(folder) is None:
        raise LabError(f"{name} does not run; `list` shows what runs, `up {name}` starts it.")
    record: dict[str, Any] = json.loads((folder / "instance.json").read_text())
    return record


def names() -> list[str]:
    """Instances that run."""
    folders = (cache.root() / "instances").glob("*")
    return sorted(folder.name for folder in folders if qemu.process(folder) is not None)


def save(name: str, tag: str) -> None:
    """A snapshot inside the instance, gone with it."""
    info(name)
    Monitor(folder_of(name) / "qmp").human(f"savevm {tag}")


def load(name: str, tag: str) -> None:
    """Back to a snapshot; connections to the machine break."""
    port = info(name)["port"]
    Monitor(folder_of(name) / "qmp").human(f"loadvm {tag}")
    ssh.wait(port, folder_of(name))
