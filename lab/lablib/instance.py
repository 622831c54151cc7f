"""Instances: machines that run, each with a disk of its own on top of what was built."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

from . import boots, cache, cgroups, container, qemu, running, ssh, vm
from .cache import LabError

# What kinds of machine there are; each module has layers, start, kill, save and load.
KINDS: dict[str, ModuleType] = {"vm": vm, "container": container}
FASTEST = "fastest"


def _asked() -> str:
    """The kind that PODSHIFT_LAB names; "" when it names none."""
    kind = os.environ.get("PODSHIFT_LAB", "")
    if kind not in ("", *KINDS, FASTEST):
        raise LabError(f"PODSHIFT_LAB is {kind!r}; there are: {', '.join((*KINDS, FASTEST))}.")
    return kind


def kind_for(machine_name: str) -> str:
    """The kind of a machine that is started now."""
    kind = _asked() or "vm"
    if kind != FASTEST:
        return kind
    if shutil.which(qemu.PROGRAM) and qemu.accelerator(boots.layer(machine_name)) == "kvm":
        return "vm"
    try:
        container.require()
        cgroups.prepare()
    except LabError as error:
        cache.say(f"a virtual machine is the fastest here: {error}")
        return "vm"
    return "container"


def layers(machine_name: str) -> list[Path]:
    """What a machine is made of, built when absent."""
    made_of: list[Path] = KINDS[kind_for(machine_name)].layers(machine_name)
    return made_of


def folder_of(name: str) -> Path:
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,40}", name):
        raise LabError(f"{name!r} is no name for an instance: letters, digits, '-', '_', '.'.")
    return cache.root() / "instances" / name


def up(name: str, machine_name: str, ports: list[int]) -> dict[str, Any]:
    """Start an instance, or find it running."""
    folder = folder_of(name)
    with cache.lock(f"instance-{name}"):
        if running.process(folder) is not None:
            return _same(info(name), machine_name, ports)
        shutil.rmtree(folder, ignore_errors=True)
        kind = kind_for(machine_name)
        made_of = KINDS[kind].layers(machine_name)
        port, *local = running.free_ports(1 + len(ports))
        forwards = dict(zip(ports, local, strict=True))
        record = {
            "name": name, "kind": kind, "machine": machine_name,
            "address": "127.0.0.1", "port": port, "user": "root",
            "identity_file": str(ssh.identity()),
            "forwards": {str(guest): here for guest, here in forwards.items()},
            "layers": [layer.name for layer in made_of],
        }  # fmt: skip
        folder.mkdir(parents=True)
        (folder / "instance.json").write_text(json.dumps(record))
        try:
            KINDS[kind].start(folder, machine_name, made_of, {22: port, **forwards})
        except BaseException:
            KINDS[kind].kill(folder)
            raise
    return record


def _same(found: dict[str, Any], machine_name: str, ports: list[int]) -> dict[str, Any]:
    missing = {str(port) for port in ports} - set(found["forwards"])
    is_other = found["machine"] != machine_name or (_asked() in KINDS and _asked() != found["kind"])
    if is_other or missing:
        raise LabError(
            f"{found['name']} already runs as {found['machine']} (kind {found['kind']}) with the forwards "
            f"{', '.join(found['forwards']) or 'none'}; run `down {found['name']}` first."
        )
    return found


def down(name: str) -> None:
    """Stop an instance and remove what it wrote; nothing to do when there is none."""
    folder = folder_of(name)
    with cache.lock(f"instance-{name}"):
        if running.process(folder) is not None:
            _kind(info(name)).kill(folder)
        shutil.rmtree(folder, ignore_errors=True)


def info(name: str) -> dict[str, Any]:
    """What `up` answered."""
    folder = folder_of(name)
    if running.process(folder) is None:
        raise LabError(f"{name} does not run; `list` shows what runs, `up {name}` starts it.")
    record: dict[str, Any] = json.loads((folder / "instance.json").read_text())
    return record


def names() -> list[str]:
    """Instances that run."""
    folders = (cache.root() / "instances").glob("*")
    return sorted(folder.name for folder in folders if running.process(folder) is not None)


def save(name: str, tag: str) -> None:
    """A snapshot inside the instance, gone with it."""
    record = info(name)
    _kind(record).save(folder_of(name), tag, record["port"])


def load(name: str, tag: str) -> None:
    """Back to a snapshot; connections to the machine break."""
    record = info(name)
    _kind(record).load(folder_of(name), tag, record["port"])


def _kind(record: dict[str, Any]) -> ModuleType:
    return KINDS[record["kind"]]
