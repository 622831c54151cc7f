"""Machines that have this machine's kernel: the same disks, with systemd, Docker and all else in namespaces of their own.

Many times as fast as a virtual machine where there is no hardware virtualisation. They need root, and give less: the
kernel is not the release's own, and cannot crash.
"""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from . import applications, boots, cache, cgroups, debian, image, machine, running, ssh, supervisor
from .cache import LabError

PROGRAMS = ("unshare", "setpriv", "mount", "umount", "ip")
# systemd ends what does not end by itself.
PATIENCE = 30


def require() -> None:
    """LabError where such machines cannot run. Changes nothing."""
    if os.geteuid() != 0:
        raise LabError("Machines of the kind container need root; virtual ones (PODSHIFT_LAB=vm) do not.")
    debian.require(*PROGRAMS)
    cgroups.top()
    probe = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True, check=False)
    if probe.returncode or not Path("/dev/loop-control").exists():
        raise LabError("Machines of the kind container need namespaces and loop devices, and cannot make them here.")


def layers(machine_name: str) -> list[Path]:
    """What a machine is made of, built when absent: the disk that a virtual machine boots from, and one with applications."""
    require()
    cgroups.prepare()
    boot = boots.layer(machine_name)
    installed = applications.layers(image.definition(machine_name)["applications"])
    files = [Path(module.__file__ or "") for module in (applications, boots, machine, supervisor)]
    content = {"boot": boot.name, "images": {app: folder.name for app, folder in installed.items()}}
    key = cache.key(content, [Path(__file__), machine.ENTER, *files, *applications.projects(installed)])
    return [boot, cache.layer("disk", machine_name, key, functools.partial(_build, boot, installed))]


def _build(boot: Path, installed: dict[str, Path], work: Path) -> None:
    """Boot, start the applications, shut down, keep the disk."""
    [port] = running.free_ports(1)
    folder = work / "run"
    folder.mkdir()
    try:
        _run(folder, boot / "disk.img", {22: port})
        ssh.run(port, boots.BOOTED)
        boots.say_versions(port)
        applications.install(port, installed)
        ask(folder, "save installed")
    finally:
        kill(folder)
    machine.kept(folder, "installed").replace(work / "disk.img")
    shutil.rmtree(folder)


def start(folder: Path, machine_name: str, made_of: list[Path], forwards: dict[int, int]) -> None:
    """Run a machine in the folder until it is killed, and wait for its applications."""
    _boot, saved = made_of
    _run(folder, saved / "disk.img", forwards)
    ssh.run(forwards[22], boots.BOOTED)
    for name in image.definition(machine_name)["applications"]:
        applications.start(forwards[22], name)


def _run(folder: Path, disk: Path, forwards: dict[int, int]) -> None:
    machine.copy(disk, folder / "disk.img")
    rules = [f"{here}:{port}" for port, here in forwards.items()]
    with (folder / "console.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", supervisor.__name__, f"{folder}/", *rules],
            cwd=image.LAB,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "pid").write_text(str(process.pid))
    ssh.wait(forwards[22], folder)


def kill(folder: Path) -> None:
    """Everything in it ends at once."""
    pid = running.process(folder)
    running.end(folder, PATIENCE)
    if pid is not None:
        cgroups.end(cgroups.group_of(pid))


def save(folder: Path, tag: str, port: int) -> None:
    """Shut down, keep the disk, boot."""
    ask(folder, f"save {tag}")
    _wait(folder, port)


def load(folder: Path, tag: str, port: int) -> None:
    """End everything, and boot from the disk that was kept."""
    ask(folder, f"load {tag}")
    _wait(folder, port)


def _wait(folder: Path, port: int) -> None:
    ssh.wait(port, folder)
    # Whatever does not start on it is as it was when it was kept.
    ssh.run(port, "systemctl is-system-running --wait || true")


def ask(folder: Path, request: str) -> None:
    """Have the supervisor do something."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(300)
        try:
            control.connect(str(folder / "control"))
            control.sendall(request.encode())
            answer = control.recv(4096).decode()
        except OSError as error:
            answer = str(error)
    if answer != supervisor.DONE:
        raise LabError(f"{request}: {answer or 'the machine ended'}; see {folder / 'console.log'}.")
