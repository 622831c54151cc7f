# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a program may take: while an application stands still, nobody waits without end (private to the collection)."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, NamedTuple, Sequence, Tuple


class Deadline(NamedTuple):
    """The seconds that a program may take. Of one whose time depends on how much data there is (``is_idle``), those in which
    none of its processes has computed, read or written anything."""

    seconds: float
    is_idle: bool = False


Row = Tuple[Tuple[str, ...], Deadline, str]
# What the words of a command begin with, and why it may take that long. The longest row that fits counts.
ROWS: Sequence[Row] = (
    ((), Deadline(120), "what is not listed asks something of the host, and changes little"),
    (("ip",), Deadline(10), "one request to the kernel"),
    (("conntrack",), Deadline(10), "one request to the kernel"),
    (("nft",), Deadline(20), "one request to the kernel, which waits for other users of its tables"),
    (("iptables-save",), Deadline(20), "the same"),
    (("ip6tables-save",), Deadline(20), "the same"),
    (("iptables-restore",), Deadline(20), "the same, and for the lock of other users of iptables"),
    (("ip6tables-restore",), Deadline(20), "the same"),
    (("mount",), Deadline(60), "one request to the kernel, which may read a file system's log first"),
    (("umount",), Deadline(60), "the same, and what is not written yet"),
    (("systemd-run",), Deadline(60), "waits until the program is started"),
    (("journalctl",), Deadline(10), "reads the last lines; without them an error is only shorter"),
    (
        ("systemctl",),
        Deadline(30),
        "one request to systemd, which answers nobody while it reloads; its own clients wait 25 s",
    ),
    (("systemctl", "start"), Deadline(600), "waits for a start: of Docker, which loads its containers, or of a volume"),
    (("systemctl", "start", "--no-block"), Deadline(30), "only has it queued"),
    (("systemctl", "daemon-reload"), Deadline(120), "systemd gives generators 90 s"),
    (
        ("systemctl", "stop"),
        Deadline(120),
        "systemd gives a service 90 s; where containers have longer, the caller says so",
    ),
    (("podman",), Deadline(60), "a second, but it waits for its storage while an image is pulled or removed there"),
    (("podman", "rmi"), Deadline(600), "removes a tree; not while an application stands still"),
    (("podman", "save"), Deadline(300, True), "reads a whole image; not while an application stands still"),
    (("skopeo",), Deadline(300, True), "writes a layer, or a whole image"),
    (("rsync",), Deadline(300, True), "reads two trees, and writes what differs"),
    (("prlimit",), Deadline(30), "has Compose read the files of a project; without it the times of files have to tell"),
    (("sync",), Deadline(900), "what the kernel has not written yet: a fifth of the memory, perhaps to a slow disk"),
)
# What a request gets that begins at the last moment.
_LEAST = 1.0
_latest: ContextVar[float] = ContextVar("latest", default=float("inf"))


def of(argv: Sequence[str]) -> Deadline:
    """The deadline of a command: that of its row, but no later than ``within`` says."""
    words = (os.path.basename(argv[0]), *argv[1:])
    row = max((row for row in ROWS if words[: len(row[0])] == row[0]), key=lambda row: len(row[0]))[1]
    seconds = capped(row.seconds)
    return row if seconds == row.seconds else Deadline(seconds)


def capped(seconds: float) -> float:
    """So many seconds, or those that ``within`` leaves."""
    return min(seconds, max(_LEAST, _latest.get() - time.monotonic()))


def over() -> bool:
    """Whether the time that ``within`` gave is over."""
    return time.monotonic() > _latest.get()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Nothing that is asked in here is waited for any longer than so many seconds from now."""
    token = _latest.set(min(_latest.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _latest.reset(token)
