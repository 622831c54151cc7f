"""A virtual machine that has booted and runs its applications, saved to be continued in seconds."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from . import applications, boots, cache, debian, emulator, image, qemu, running, ssh
from .monitor import Monitor


def layers(name: str) -> tuple[Path, Path]:
    """The two layers of a machine, built when absent: what it boots from, what it is saved as."""
    debian.require(qemu.PROGRAM, "qemu-img")
    boot = boots.layer(name)
    machine = image.definition(name)
    program = emulator.choose(boot)
    installed = applications.layers(machine["applications"])
    inputs = {
        "qemu": program.version,
        "command": qemu.command(machine, program.options, Path("folder"), boot, {}),
        "images": {app: folder.name for app, folder in installed.items()},
    }
    files = [Path(module.__file__ or "") for module in (boots, applications)]
    saved = cache.layer(
        "saved",
        name,
        cache.key(inputs, [Path(__file__), *files, *applications.projects(installed)]),
        functools.partial(_build, machine, program.argv, boot, installed),
    )
    return boot, saved


def _build(
    machine: dict[str, Any],
    program: list[str],
    boot: Path,
    installed: dict[str, Path],
    work: Path,
) -> None:
    """Boot, start the applications, save memory and devices beside the disk."""
    [port] = running.free_ports(1)
    qemu.create_disk(boot / "disk.img", "raw", work)
    cache.say("booting")
    qemu.start(qemu.command(machine, program, work, boot, {22: port}))
    try:
        ssh.wait(port, work)
        ssh.run(port, boots.BOOTED)
        boots.say_versions(port)
        applications.install(port, installed)
        cache.say("saving")
        Monitor(work / "qmp").save_state(work / "state")
    finally:
        running.end(work)
