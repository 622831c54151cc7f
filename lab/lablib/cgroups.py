"""Control groups for machines that have this machine's kernel."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from .cache import LabError, say

# Docker and Podman write its files for every container.
NEEDED = "pids"
# Only version 1 has it, and hardly anybody uses it.
STAND_IN = "net_cls"


def top() -> Path:
    """Where version 2 is. LabError where it is not."""
    for _device, where, kind, _options in _mounts():
        if kind == "cgroup2":
            return Path(where)
    raise LabError("Machines of the kind container need control groups of version 2, and there are none here.")


def prepare() -> None:
    """Have the groups of version 2 offer what containers need. LabError where they cannot."""
    if NEEDED not in _words(top() / "cgroup.controllers"):
        _release()
    for controller in _words(top() / "cgroup.controllers"):
        try:
            (top() / "cgroup.subtree_control").write_text("+" + controller)
        except OSError as error:
            raise LabError(f"Control groups of version 2 cannot have {controller} here: {error.strerror}.") from error


def _release() -> None:
    """Take the controller from version 1, where nobody has made a group of it."""
    for _device, where, kind, options in _mounts():
        if (
            kind == "cgroup"
            and NEEDED in options.split(",")
            and not any(path.is_dir() for path in Path(where).iterdir())
        ):
            say(f"taking {NEEDED} from {where}, which has no groups, so that control groups of version 2 get it")
            if subprocess.run(["umount", where], capture_output=True, check=False).returncode:
                # Somebody has it open: the hierarchy stays for them, with another controller.
                subprocess.run(
                    [
                        "mount",
                        "--options-mode=ignore",
                        "--types=cgroup",
                        f"--options=remount,{STAND_IN}",
                        "cgroup",
                        where,
                    ],
                    check=False,
                )
    until = time.monotonic() + 5
    while NEEDED not in _words(top() / "cgroup.controllers"):
        if time.monotonic() > until:
            raise LabError(f"Control groups of version 2 do not have {NEEDED} here, as version 1 uses it.")
        time.sleep(0.1)


def _words(file: Path) -> list[str]:
    return file.read_text().split()


def _mounts() -> list[list[str]]:
    """Device, place, type and options of each mount."""
    return [line.split()[:4] for line in Path("/proc/self/mounts").read_text().splitlines()]


def group_of(pid: int) -> Path:
    """The group of the machine that a process supervises."""
    return top() / f"lab-{pid}"


def is_frozen(group: Path) -> bool:
    """Whether no process of it runs any more, because one of them wanted that."""
    return "frozen 1" in (group / "cgroup.events").read_text()


def end(group: Path) -> None:
    """Kill all that is in a group, and remove it with the groups in it; nothing to do when there is none."""
    if not group.exists():
        return
    (group / "cgroup.kill").write_text("1")
    while "populated 1" in (group / "cgroup.events").read_text():
        time.sleep(0.01)
    for folder, _folders, _files in os.walk(group, topdown=False):
        Path(folder).rmdir()
