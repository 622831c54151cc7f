"""A machine that has booted and runs its applications, saved to be continued in seconds."""

from __future__ import annotations

import functools
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from . import cache, debian, emulator, image, qemu, ssh
from .monitor import Monitor

VERSIONS = (
    "uname -r; docker version --format '{{.Server.Version}}'; docker compose version --short 2> /dev/null || echo none"
)
PROGRAMS = (qemu.PROGRAM, "qemu-img", "mmdebstrap", "mke2fs", "apt-ftparchive", "ssh", "ssh-keygen")


def layers(name: str) -> tuple[Path, Path]:
    """The two layers of a machine, built when absent: what it boots from, what it is saved as."""
    debian.require(*PROGRAMS)
    machine = image.definition(name)
    key = ssh.identity().with_suffix(".pub").read_text().strip()
    content = {part: machine[part] for part in ("suite", "disk", "packages", "repository")}
    boot = cache.layer(
        "boot",
        name,
        cache.key({**content, "ssh_key": key}, [Path(image.__file__), Path(debian.__file__), image.OVERLAY]),
        functools.partial(image.build_machine, machine, key),
    )
    program = emulator.choose(boot)
    applications = {app: image.application(app) for app in machine["applications"]}
    inputs = {
        "qemu": program.version,
        "command": qemu.command(machine, program.argv, Path("folder"), boot, {}),
        "images": {app: folder.name for app, folder in applications.items()},
    }
    projects = [image.LAB / "apps" / app / "project" for app in applications]
    saved = cache.layer(
        "saved",
        name,
        cache.key(inputs, [Path(__file__), *projects]),
        functools.partial(_build, machine, program.argv, boot, applications),
    )
    return boot, saved


def _build(
    machine: dict[str, Any],
    program: list[str],
    boot: Path,
    applications: dict[str, Path],
    work: Path,
) -> None:
    """Boot, start the applications, save memory and devices beside the disk."""
    [port] = qemu.free_ports(1)
    qemu.create_disk(boot / "disk.img", "raw", work)
    cache.say("booting")
    qemu.start(qemu.command(machine, program, work, boot, {22: port}))
    try:
        ssh.wait(port, work)
        ssh.run(port, "systemctl is-system-running --wait && docker info > /dev/null")
        versions = ssh.run(port, VERSIONS).split()
        cache.say(f"kernel {versions[0]}, Docker {versions[1]}, Compose {versions[2]}")
        for application, folder in applications.items():
            _import_images(port, application, folder)
            _start_application(port, application)
        cache.say("saving")
        Monitor(work / "qmp").save_state(work / "state")
    finally:
        qemu.kill(work)


def _import_images(port: int, application: str, folder: Path) -> None:
    for name, one in image.images(application).items():
        cache.say(f"importing {name}")
        changes = [word for change in one["changes"] for word in ("--change", change)]
        command = shlex.join(["docker", "import", *changes, "-", name])
        with (folder / f"{one['folder']}.tar").open("rb") as tar:
            ssh.run(port, command, stdin=tar)


def _start_application(port: int, application: str) -> None:
    """Put apps/NAME/project at /srv/NAME, and run its program `start`."""
    cache.say(f"starting {application}")
    project = image.LAB / "apps" / application / "project"
    argv = ["tar", "-C", str(project), "--owner=root:0", "--group=root:0", "-c", "."]
    target = f"/srv/{application}"
    with tempfile.TemporaryFile() as packed:
        subprocess.run(argv, stdout=packed, check=True)
        packed.seek(0)
        ssh.run(port, f"mkdir {target} && tar -C {target} -x && {target}/start", packed)
