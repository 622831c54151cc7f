"""QEMU: which accelerator works here, the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from . import cache
from .cache import LabError

PROGRAM = "qemu-system-x86_64"
# On a busy host the kernel would come to distrust the emulated clock, and the code that it changes then is sometimes still
# run as it was (Oops: int3 in sched_clock_cpu).
KERNEL_ARGUMENTS = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off tsc=reliable"


def version(program: list[str]) -> str:
    """For example 7.2.22."""
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d[\w.]*)", done.stdout)
    if found is None:
        raise LabError(f"{PROGRAM} --version says nothing understandable: {done.stdout!r}.")
    return found.group(1)


def command(
    machine: dict[str, Any],
    program: list[str],
    folder: Path,
    boot: Path,
    forwards: dict[int, int],
    state: Path | None = None,
) -> list[str]:
    """Command line of a machine with disk.qcow2 in folder, kernel and initrd in boot.

    program: QEMU with its accelerator.
    forwards: port of the guest -> port of this machine's 127.0.0.1; they are no
    part of a saved state, each start has its own. state: a saved state to
    continue from, instead of a boot.
    """
    rules = [f"hostfwd=tcp:127.0.0.1:{here}-:{guest}" for guest, here in forwards.items()]
    return [
        *program,
        "-machine", "q35", "-m", str(machine["memory"]), "-smp", str(machine["cpus"]),
        "-kernel", str(boot / "vmlinuz"), "-initrd", str(boot / "initrd.img"),
        "-append", KERNEL_ARGUMENTS,
        "-drive", f"file={folder / 'disk.qcow2'},if=virtio,cache=unsafe,discard=unmap",
        "-netdev", ",".join(["user,id=n0,restrict=on", *rules]),
        "-device", "virtio-net-pci,netdev=n0", "-device", "virtio-rng-pci",
        "-nodefaults", "-display", "none", "-serial", f"file:{folder / 'console.log'}",
        "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off",
        "-pidfile", str(folder / "pid"), "-daemonize",
        *(["-incoming", f"exec:cat '{state}'"] if state else []),
    ]  # fmt: skip


def accelerator(boot: Path) -> str:
    """kvm where it truly works, else tcg; tried once per boot of this machine."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    identity = {"boot": boot_id, "qemu": version([PROGRAM])}
    record = cache.root() / "accelerator.json"
    with cache.lock("accelerator"):
        if record.exists():
            known = json.loads(record.read_text())
            if identity.items() <= known.items():
                return str(known["accelerator"])
        verdict = "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) and _kvm_boots(boot) else "tcg"
        cache.say(f"accelerator: {verdict}")
        record.write_text(json.dumps({**identity, "accelerator": verdict}))
    return verdict


def _kvm_boots(boot: Path) -> bool:
    """A kernel that reaches its init (none: it panics) is the proof; /dev/kvm is not."""
    argv = [
        PROGRAM, "-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m", "512",
        "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
        "-kernel", str(boot / "vmlinuz"), "-append", "console=ttyS0 panic=-1",
    ]  # fmt: skip
    try:
        done = subprocess.run(argv, capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return False
    return b"Kernel panic - not syncing: VFS" in done.stdout


def create_disk(base: Path, base_format: str, folder: Path) -> None:
    """disk.qcow2 in folder, which holds only what will differ from its base."""
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", base_format]
    subprocess.run([*argv, str(folder / "disk.qcow2")], check=True)


def start(argv: list[str]) -> None:
    """Start a machine; it runs on when this process ends."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"QEMU did not start: {done.stderr.strip()}")
