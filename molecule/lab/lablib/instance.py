"""Instances: machines that run, each a thin disk on top of a booted and saved one."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from . import cache, image, qemu
from .cache import LabError

BOOT_TIMEOUT = 300
VERSIONS = "uname -r; docker version --format '{{.Server.Version}}'; docker compose version --short"


def ssh_argv(port: int) -> list[str]:
    """ssh to root; the machines are disposable, and so are their host keys."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
    return [
        "ssh", "-i", str(cache.root() / "ssh_key"), "-p", str(port),
        *(word for option in options for word in ("-o", option)),
        "root@127.0.0.1",
    ]  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Free ports of 127.0.0.1, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def public_key() -> str:
    """The key pair of this cache, made when absent."""
    path = cache.root() / "ssh_key"
    with cache.lock("ssh_key"):
        if not path.exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)]
            subprocess.run(argv, check=True)
    return path.with_suffix(".pub").read_text().strip()


def layers(name: str) -> tuple[Path, Path]:
    """The layers of a machine, built when absent: what it boots from, what it is saved as."""
    image.require(qemu.PROGRAM, "qemu-img", "mmdebstrap", "mke2fs", "apt-ftparchive", "ssh", "ssh-keygen")
    machine, key, here = image.definition(name), public_key(), Path(__file__).parent
    apps = [image.LAB / "apps" / app for app in machine["applications"]]
    inputs: dict[str, Any] = {"machine": machine, "ssh_key": key}
    boot = cache.layer(
        "boot",
        name,
        cache.key(inputs, [here / "image.py", image.LAB / "machines" / "overlay"]),
        lambda work: image.build_machine(machine, key, work),
    )
    acceleration = qemu.accelerator_arguments(qemu.accelerator(boot), qemu.version())
    inputs |= {"boot": boot.name, "acceleration": acceleration, "qemu": qemu.version()}
    files = [path for app in apps for path in (app / "images.yml", app / "images")]
    sources = [here / "image.py", here / "qemu.py", here / "instance.py"]
    saved = cache.layer(
        "saved",
        name,
        cache.key(inputs, [*sources, *files]),
        lambda work: _save(machine, acceleration, boot, work),
    )
    return boot, saved


def _save(machine: dict[str, Any], acceleration: list[str], boot: Path, work: Path) -> None:
    """Boot, import the images of the applications, wait until idle, save."""
    tars = [
        cache.layer(
            "app",
            app,
            cache.key(
                {"suite": machine["suite"]},
                [image.LAB / "apps" / app / part for part in ("images.yml", "images")],
            ),
            lambda folder, app=app: image.build_application(app, machine["suite"], folder),
        )
        for app in machine["applications"]
    ]
    [port] = free_ports(1)
    _create_disk(boot / "disk.img", "raw", work)
    cache.say("booting")
    _start(qemu.command(machine, acceleration, work, boot, {22: port}))
    try:
        _wait_for_ssh(port, work)
        _on(port, "systemctl is-system-running --wait && docker info > /dev/null")
        for app, folder in zip(machine["applications"], tars, strict=True):
            for name, one in image.images(app).items():
                cache.say(f"importing {name}")
                changes = " ".join(f"--change {_quote(change)}" for change in one["changes"])
                with (folder / f"{one['folder']}.tar").open("rb") as tar:
                    _on(port, f"docker import {changes} - {name} > /dev/null", stdin=tar)
        cache.say(f"kernel, Docker, Compose: {' '.join(_on(port, VERSIONS).split())}")
        _on(port, "sync; echo 3 > /proc/sys/vm/drop_caches; sleep 5")
        qemu.Monitor(work / "qmp").save_state(work / "state")
    finally:
        qemu.kill(work)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _create_disk(base: Path, base_format: str, folder: Path) -> None:
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", base_format]
    subprocess.run([*argv, str(folder / "disk.qcow2")], check=True)


def _start(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"QEMU did not start: {done.stderr.strip()}")


def _on(port: int, command: str, stdin: Any = subprocess.DEVNULL) -> str:
    argv = [*ssh_argv(port), command]
    done = subprocess.run(argv, stdin=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"On the machine, `{command}` failed with {done.returncode}: {said}")
    return done.stdout


def _wait_for_ssh(port: int, folder: Path) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT
    argv = [*ssh_argv(port)[:-1], "-o", "ConnectTimeout=5", "root@127.0.0.1", "true"]
    while subprocess.run(argv, capture_output=True, check=False).returncode:
        if qemu.process(folder) is None:
            raise LabError(f"QEMU ended before ssh answered; see {folder / 'console.log'}.")
        if time.monotonic() > deadline:
            raise LabError(f"No ssh within {BOOT_TIMEOUT} s; see {folder / 'console.log'}.")
        time.sleep(0.2)


def _set_clock(port: int) -> None:
    """A loaded machine believes it is still when it was saved."""
    _on(port, f"date --set=@{time.time():.2f} > /dev/null")


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
        boot, saved = layers(machine_name)
        machine = image.definition(machine_name)
        accelerator = qemu.accelerator(boot)
        port, *local = free_ports(1 + len(ports))
        forwards = dict(zip(ports, local, strict=True))
        record = {
            "name": name, "machine": machine_name, "accelerator": accelerator,
            "address": "127.0.0.1", "port": port, "user": "root",
            "identity_file": str(cache.root() / "ssh_key"),
            "forwards": {str(guest): here for guest, here in forwards.items()},
            "layers": [boot.name, saved.name],
        }  # fmt: skip
        folder.mkdir(parents=True)
        (folder / "instance.json").write_text(json.dumps(record))
        _create_disk(saved / "disk.qcow2", "qcow2", folder)
        acceleration = qemu.accelerator_arguments(accelerator, qemu.version())
        all_forwards = {22: port, **forwards}
        try:
            _start(qemu.command(machine, acceleration, folder, boot, all_forwards, saved / "state"))
            qemu.Monitor(folder / "qmp").resume()
            _wait_for_ssh(port, folder)
            _set_clock(port)
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
    qemu.Monitor(folder_of(name) / "qmp").human(f"savevm {tag}")


def load(name: str, tag: str) -> None:
    """Back to a snapshot; connections to the machine break."""
    port = info(name)["port"]
    qemu.Monitor(folder_of(name) / "qmp").human(f"loadvm {tag}")
    _wait_for_ssh(port, folder_of(name))
    _set_clock(port)
