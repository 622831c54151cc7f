# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact copies of file trees, by rsync (private to the collection)."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path
from typing import NamedTuple

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import Completed, run

# Without --modify-window=-1 rsync takes a file of the same size, changed within the same second, for unchanged.
# The filters: SELinux labels belong to the target; any filter lifts rsync's own exception for system.*, where ACLs are.
_EXACT = [
    "--archive",
    "--hard-links",
    "--acls",
    "--xattrs",
    "--filter=-x security.selinux",
    "--filter=-x system.*",
    "--sparse",
    "--numeric-ids",
    "--modify-window=-1",
    "--delete",
    "--stats",
    "--no-human-readable",
]
_ITEM = "@ "
_VANISHED, _PARTIAL = 24, 23
_LIVE_ROUNDS = 3
# Beside the copy while a live round runs, and after one that failed or was killed: its time is when the round began.
_STAMP = ".since"
_TICK = 0.01
# What rsync says of files that were removed, truncated or rewritten while it read them, and its summary of that.
_MOVED_ON = re.compile(r"has vanished|No data available|failed verification|some files(/attrs)? (vanished|were not)")


class TreeError(Exception):
    """A tree could not be copied or compared. The message says which and why."""


class TreeStats(NamedTuple):
    """What a round did: regular files transferred, their size in bytes, the time it took in seconds, and how many
    entries of any kind were created, changed or deleted."""

    files: int
    bytes: int
    seconds: float
    changes: int


def require_inside(path: str, folder: str, what: str) -> str:
    """Return ``path`` when it is a folder below ``folder``, with no symlink on the way from there; TreeError otherwise.

    ``folder`` itself may be reached through symlinks. ``what`` begins the message.
    """
    relative = os.path.relpath(path, folder)
    if path != os.path.normpath(path) or not os.path.isabs(path) or relative.split(os.sep)[0] in (os.curdir, os.pardir):
        raise TreeError("{0} {1} is not below {2}; it is left alone.".format(what, path, folder))
    if not os.path.lexists(path):
        raise TreeError("{0} {1} does not exist.".format(what, path))
    if os.path.realpath(path) != os.path.join(os.path.realpath(folder), relative):
        raise TreeError("{0} {1} is reached through a symbolic link; it is left alone.".format(what, path))
    if not os.path.isdir(path):
        raise TreeError("{0} {1} is not a folder; it is left alone.".format(what, path))
    return path


def sync(
    source: str, destination: str, *, live: bool = False, checksum: bool = False, dry_run: bool = False
) -> TreeStats:
    """Make ``destination`` equal to ``source``, which is only read; both are folders, theirs is the owner and mode too.

    ``live``: the tree changes meanwhile, so files that vanish or shrink while they are read are no error; a round
    without ``live`` must follow. It copies again what was written during a live round. ``checksum`` reads all contents
    instead of trusting size and mtime. ``dry_run`` only counts. Raises TreeError, CommandError.
    """
    began = time.monotonic()
    options = ["--out-format=" + _ITEM + "%i"] + ["--checksum"] * checksum + ["--dry-run"] * dry_run
    if dry_run:
        counts = _round(options, source, destination, live)
        return TreeStats(counts[1], counts[2], time.monotonic() - began, counts[0])
    stamp = Path(destination + _STAMP)
    if stamp.exists():
        _distrust(source, destination, stamp.stat().st_mtime_ns)
    elif live:
        # What was written before, and in the same tick of the kernel's clock, shall not count as written meanwhile.
        time.sleep(2 * _TICK)
        stamp.touch(mode=0o600)
    if live:
        # Written-back pages are write-protected, so the next write to a mapped file gives it a new time.
        run(["sync", "--file-system", source])
    changes, files, size = _round(options, source, destination, live)
    if live:
        _distrust(source, destination, stamp.stat().st_mtime_ns)
    if changes or live:
        run(["sync", "--file-system", destination])
    if stamp.exists():
        stamp.unlink()
    return TreeStats(files, size, time.monotonic() - began, changes)


def _round(options: list[str], source: str, destination: str, live: bool) -> tuple[int, int, int]:
    """Run rsync, again if need be; returns how many entries changed, files transferred and their bytes."""
    total = (0, 0, 0)
    for _attempt in range(_LIVE_ROUNDS):
        done = _rsync(options, source, destination)
        changes, files, size = _counts(done.stdout)
        total = (total[0] + changes, total[1] + files, total[2] + size)
        if not (live and done.rc == _PARTIAL and moved_on(done)):
            break
    if done.rc != 0 and not (live and moved_on(done)):
        raise TreeError(_failure(source, destination, done))
    return total


def _distrust(source: str, destination: str, since: int) -> None:
    """Make the next round copy again every file that was written since then (in ns), whatever its mtime says.

    A file can be written, copied and written again with the same mtime: within one tick of the kernel's clock, or any
    time later through a mapped page that stayed dirty. Its ctime says that it was written at all.
    """
    top, ours = os.fsencode(source), os.path.realpath(os.fsencode(destination))
    for folder, _folders, names in os.walk(top):
        copies = os.path.normpath(os.path.join(ours, os.path.relpath(folder, top)))
        if os.path.realpath(copies) != copies:
            continue  # A symlink is there still: nothing of this folder was copied yet.
        for name in names:
            try:
                found = os.lstat(os.path.join(folder, name))
                if stat.S_ISREG(found.st_mode) and found.st_ctime_ns >= since:
                    other = (found.st_atime_ns, found.st_mtime_ns + 10**9)
                    os.utime(os.path.join(copies, name), ns=other, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                continue  # Gone from the source, or not yet in the copy.


def differences(source: str, destination: str, *, checksum: bool = False) -> list[str]:
    """What a further round would change: rsync's itemized lines (``>f.st...... name``), empty when the trees match.

    ``checksum`` compares contents too instead of size and mtime. Raises TreeError.
    """
    options = ["--dry-run", "--out-format=" + _ITEM + "%i %n%L"] + ["--checksum"] * checksum
    done = _rsync(options, source, destination)
    if done.rc != 0:
        raise TreeError(_failure(source, destination, done))
    return [line[len(_ITEM) :] for line in done.stdout.splitlines() if line.startswith(_ITEM)]


def moved_on(done: Completed) -> bool:
    """Whether rsync complains of nothing but files that changed while it read them."""
    complaints = done.stderr.strip().splitlines()
    return done.rc == _VANISHED or (
        done.rc == _PARTIAL and bool(complaints) and all(_MOVED_ON.search(line) for line in complaints)
    )


def _rsync(options: list[str], source: str, destination: str) -> Completed:
    # The slash at the end says: the content, owner, mode and times of this folder, not a folder in the other.
    return run(["rsync", *_EXACT, *options, "--", source + "/", destination + "/"], check=False)


def _counts(stdout: str) -> tuple[int, int, int]:
    changes = sum(line.startswith(_ITEM) for line in stdout.splitlines())
    return changes, _stat("Number of regular files transferred", stdout), _stat("Total transferred file size", stdout)


def _stat(title: str, stdout: str) -> int:
    found = re.search("^{0}: ([0-9]+)".format(title), stdout, re.MULTILINE)
    return int(found.group(1)) if found else 0


def _failure(source: str, destination: str, done: Completed) -> str:
    tail = " | ".join(line.strip() for line in done.stderr.strip().splitlines()[-4:])
    return "rsync from {0} to {1} failed with exit code {2}: {3}".format(
        source, destination, done.rc, tail or "it said nothing on stderr"
    )
