"""QEMU: which accelerator works here, the command line, the monitor."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from . import cache
from .cache import LabError

PROGRAM = "qemu-system-x86_64"
KERNEL_ARGUMENTS = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off"
# QEMU 7.2 emulates cmpxchg16b and AVX wrongly: guest kernels panic, glibc aborts. QEMU 10 does not.
FIRST_GOOD_EMULATION = 10


def version() -> str:
    """For example 7.2.22."""
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d[\w.]*)", done.stdout)
    if found is None:
        raise LabError(f"{PROGRAM} --version says nothing understandable: {done.stdout!r}.")
    return found.group(1)


def accelerator_arguments(accelerator: str, qemu_version: str) -> list[str]:
    """The part of the command line that differs between kvm and emulation."""
    if accelerator == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    good = int(qemu_version.split(".")[0]) >= FIRST_GOOD_EMULATION
    cpu = "max" if good else "Nehalem,cx16=off"
    return ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", cpu]


def command(
    machine: dict[str, Any],
    acceleration: list[str],
    folder: Path,
    boot: Path,
    forwards: dict[int, int],
    state: Path | None = None,
) -> list[str]:
    """Command line of a machine with disk.qcow2 in folder, kernel and initrd in boot.

    forwards: port of the guest -> port of this machine's 127.0.0.1; they are no
    part of a saved state, each start has its own. state: a saved state to
    continue from, instead of a boot.
    """
    rules = [f"hostfwd=tcp:127.0.0.1:{here}-:{guest}" for guest, here in forwards.items()]
    return [
        PROGRAM, *acceleration,
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
    identity = {"boot": boot_id, "qemu": version()}
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


class Monitor:
    """QMP on a unix socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(120)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rwb")
        self._stream.readline()
        self.execute("qmp_capabilities")

    def execute(self, name: str, **arguments: Any) -> Any:
        """The answer's "return"; events in between are passed over."""
        self._stream.write(json.dumps({"execute": name, "arguments": arguments}).encode())
        self._stream.flush()
        while True:
            line = self._stream.readline()
            if not line:
                raise LabError(f"QEMU closed its monitor during {name}.")
            answer = json.loads(line)
            if "error" in answer:
                raise LabError(f"QEMU refuses {name}: {answer['error']['desc']}.")
            if "return" in answer:
                return answer["return"]

    def human(self, line: str) -> None:
        """A command of the human monitor; what it prints is an error."""
        if said := self.execute("human-monitor-command", **{"command-line": line}).strip():
            raise LabError(f"QEMU: {said}")

    def wait(self, query: str, wanted: str) -> None:
        """Until query-migrate or query-status says so."""
        for _ in range(600):
            status = self.execute(query).get("status")
            if status == wanted:
                return
            if status == "failed":
                break
            time.sleep(0.1)
        raise LabError(f"QEMU's {query} says {status!r} instead of {wanted!r}.")

    def resume(self) -> None:
        """Run what -incoming loads: it arrives as it was saved, stopped."""
        self.wait("query-status", "paused")
        self.execute("cont")

    def save_state(self, path: Path) -> None:
        """Memory and devices into a file; the machine stays stopped."""
        self.execute("stop")
        self.execute("migrate-set-parameters", **{"max-bandwidth": 2**40})
        self.execute("migrate", uri=f"exec:cat > '{path}'")
        self.wait("query-migrate", "completed")


def process(folder: Path) -> int | None:
    """The process ID of the QEMU that runs in this folder."""
    try:
        pid = int((folder / "pid").read_text())
        argv = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if str(folder / "qmp").encode() in argv else None


def kill(folder: Path) -> None:
    """Pull the plug, and wait until the process is gone."""
    pid = process(folder)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    while process(folder) is not None:
        time.sleep(0.05)
