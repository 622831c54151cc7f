"""What runs from disk.img in a folder, on this machine's kernel, in namespaces of its own."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import time
from pathlib import Path

from . import cgroups
from .cache import LabError

ENTER = Path(__file__).parent / "enter.sh"
# ext4's own power cut: from then on nothing reaches the disk, and its journal stays as it is (EXT4_IOC_SHUTDOWN, NOLOGFLUSH).
SHUTDOWN, NOTHING_FLUSHED = 0x8004587D, 2
# At it systemd powers a machine off.
POWER_OFF = signal.SIGRTMIN + 4
GATEWAY = "10.0.2.2/24"
# What is the whole kernel's and not a namespace's.
NOT_ALLOWED = "-sys_time,-sys_module,-sys_rawio"
# Into the group first: to the machine it is the top of all groups.
INTO_GROUP = 'echo 0 > "$1/cgroup.procs"; shift; exec unshare --cgroup "$@"'
# Nothing that boots ends as soon as this.
SECONDS = 1.0


def copy(disk: Path, to: Path) -> None:
    """A disk, without the space that it does not use; a copy that fails leaves what was there."""
    half = to.with_suffix(".half")
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(disk), str(half)], check=True)
    half.replace(to)


def kept(folder: Path, tag: str) -> Path:
    """Where the disk of a snapshot is. LabError unless the tag is fit for a file's name."""
    if not re.fullmatch(r"[a-zA-Z0-9_-]+", tag):
        raise LabError(f"{tag!r} is no name for a snapshot")
    return folder / f"saved-{tag}.img"


class Machine:
    """The machine of a folder, which is all that this process has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._disk, self._root = folder / "disk.img", folder / "root"
        self._group = cgroups.group_of(os.getpid())
        self._root.mkdir()
        self.boot()

    def boot(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self._disk), str(self._root)], check=True)
        cgroups.end(self._group)
        self._group.mkdir()
        self._booted = time.monotonic()
        self._process = subprocess.Popen(
            [
                "setpriv", "--pdeathsig", "KILL", "--bounding-set", NOT_ALLOWED, "--inh-caps", NOT_ALLOWED,
                "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child",
                "sh", "-c", INTO_GROUP, "sh", str(self._group), str(ENTER), str(self._root),
            ]
        )  # fmt: skip
        subprocess.run(["ip", "link", "delete", "cable"], stderr=subprocess.DEVNULL, check=False)
        cable = f"link add cable type veth peer name eth0 netns {self._init()}"
        for words in (cable, f"address add {GATEWAY} dev cable", "link set cable up"):
            subprocess.run(["ip", *words.split()], check=True)

    def _init(self) -> int:
        """The process that is the machine's first."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while self._process.poll() is None:
            if found := children.read_text().split():
                return int(found[0])
            time.sleep(0.01)
        raise LabError("the machine does not run")

    def heed(self) -> None:
        """Boot it again when it stopped all its processes, which cuts its power, or shut down. LabError when it cannot boot."""
        if cgroups.is_frozen(self._group):
            self.cut_power()
            self.boot()
        elif self._process.poll() is not None:
            if time.monotonic() < self._booted + SECONDS:
                raise LabError("the machine ended as soon as it was started")
            self.end()
            self.boot()

    def cut_power(self) -> None:
        """End it with what its disk has at this moment.

        All its processes stand still: an fsync that is under way at the shutdown can report what the aborted journal does not
        hold (8 of 300 such cuts lost a record that a program was told is kept; with the processes stopped, none).
        """
        root = os.open(self._root, os.O_RDONLY)
        fcntl.ioctl(root, SHUTDOWN, struct.pack("I", NOTHING_FLUSHED))
        os.close(root)
        self.end()

    def end(self) -> None:
        """Kill all of it; nothing to do when it has ended."""
        cgroups.end(self._group)
        self._process.kill()
        self._process.wait()
        subprocess.run(["umount", str(self._root)], stderr=subprocess.DEVNULL, check=False)
        # Mounted again while an old namespace still has it, it would be the same file system, as it ended.
        while self._is_attached():
            time.sleep(0.01)

    def _is_attached(self) -> bool:
        disk = str(self._disk.resolve())
        return any(_text(file) == disk for file in Path("/sys/block").glob("loop*/loop/backing_file"))

    def save(self, tag: str) -> None:
        """Shut down, keep the disk, boot."""
        to = kept(self._folder, tag)
        os.kill(self._init(), POWER_OFF)
        self._process.wait()
        self.end()
        try:
            copy(self._disk, to)
        finally:
            self.boot()

    def load(self, tag: str) -> None:
        """Boot from the disk that was kept."""
        disk = kept(self._folder, tag)
        if not disk.exists():
            raise LabError(f"there is no snapshot {tag}")
        self.end()
        try:
            copy(disk, self._disk)
        finally:
            self.boot()


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
