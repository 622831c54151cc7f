# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact copies of file trees, by rsync (private to the collection)."""

from __future__ import annotations

import os
import re
import stat
import time
from typing import Callable, NamedTuple

from .._common.command import Completed, watch
from .._common.errors import UserError

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
# A folder that became one more name of a file since the last round is cured by the next (rsync asks for its ACL when it
# is gone: "Permission denied"); what a running application changes meanwhile, often too.
_TRIES, _LIVE_TRIES = 2, 3
# rsync's words for files that were removed, truncated or rewritten while it read them, and for names that became something
# else; and its summary of both.
_MOVED_ON = re.compile(
    r"has vanished|No data available|failed verification|some files(/attrs)? (vanished|were not)"
    r"|No such file or directory \(2\)|Not a directory \(20\)|Is a directory \(21\)"
    r"|Too many levels of symbolic links \(40\)|readlink.*Invalid argument \(22\)"
    r"|ACL_TYPE_DEFAULT\): Permission denied \(13\)|Interrupted system call \(4\)"
)
# It says the same of a file that nobody may read, and of a name that became a device, which may not be opened.
_REFUSED = re.compile(r'failed to open "(.*)": Permission denied \(13\)')
_ESCAPED = re.compile(rb"\\#([0-7]{3})")
_LOOKS = 100
# It opens a file that became a pipe, and would wait for a writer for ever.
_NUDGE = 1.0


_FILES, _BYTES = "Number of regular files transferred", "Total transferred file size"


class TreeError(UserError):
    """A tree could not be copied or compared. The message says which and why."""


class TreeStats(NamedTuple):
    """What a round did: regular files transferred, their size in bytes, the time it took in seconds, how many entries of
    any kind were created, changed or deleted, and how many of the bytes were cloned and not copied."""

    files: int
    bytes: int
    seconds: float
    changes: int
    cloned: int = 0


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


def copy(
    source: str,
    destination: str,
    *,
    live: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _count: None,
) -> TreeStats:
    """Make ``destination`` equal to ``source``, which is only read; both are folders, theirs is the owner and mode too.

    ``live``: the tree changes meanwhile, so names that vanish or become something else while they are read are no error.
    ``dry_run`` only counts. ``progress`` gets bytes as they are copied. Raises TreeError, CommandError.
    """
    began = time.monotonic()
    options = ["--dry-run"] if dry_run else ["--info=progress2"]
    total = TreeStats(0, 0, 0.0, 0)
    for _attempt in range(_LIVE_TRIES if live else _TRIES):
        seen = _Output(progress)
        done = watch(_rsync(options, source, destination), seen.line, _NUDGE if live else 0)
        total = TreeStats(
            total.files + seen.numbers.get(_FILES, 0),
            total.bytes + seen.numbers.get(_BYTES, 0),
            time.monotonic() - began,
            total.changes + seen.changes,
        )
        if done.rc != _PARTIAL:
            break
    if done.rc != 0 and not (live and moved_on(done)):
        raise TreeError(_failure(source, destination, done))
    return total


class _Output:
    """What rsync prints, line by line: entries it changed, its summary, and how many bytes it has copied so far."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self.changes = 0
        self.numbers: dict[str, int] = {}
        self._progress = progress
        self._copied = 0

    def line(self, line: str) -> None:
        if line.startswith(_ITEM):
            self.changes += 1
            return
        words = line.replace(",", "").split()
        if len(words) > 1 and words[0].isdigit() and words[1].endswith("%"):
            self._progress(int(words[0]) - self._copied)
            self._copied = int(words[0])
        title, colon, number = line.partition(": ")
        if colon and number.split()[0].isdigit():
            self.numbers[title] = int(number.split()[0])


def moved_on(done: Completed) -> bool:
    """Whether rsync complains of nothing but names that changed while it read them."""
    complaints = [line for line in done.stderr.splitlines() if line.strip()]
    return done.rc == _VANISHED or (
        done.rc == _PARTIAL and bool(complaints) and all(_has_moved_on(line) for line in complaints)
    )


def _has_moved_on(line: str) -> bool:
    refused = _REFUSED.search(line)
    return not _is_closed(os.fsencode(refused.group(1))) if refused else bool(_MOVED_ON.search(line))


def _is_closed(name: bytes) -> bool:
    """Whether it is a file that cannot be read, also when one looks again and again. ``name`` is as rsync writes it."""
    path = _ESCAPED.sub(lambda code: bytes([int(code.group(1), 8)]), name)
    for _look in range(_LOOKS):
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return False
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
        except PermissionError:
            continue
        except OSError:
            return False
        return False
    return True


def _rsync(options: list[str], source: str, destination: str) -> list[str]:
    # The slash at the end says: the content, owner, mode and times of this folder, not a folder in the other.
    return ["rsync", *_EXACT, "--out-format=" + _ITEM + "%i", *options, "--", source + "/", destination + "/"]


def _failure(source: str, destination: str, done: Completed) -> str:
    tail = " | ".join(line.strip() for line in done.stderr.strip().splitlines()[-4:])
    return "rsync from {0} to {1} failed with exit code {2}: {3}".format(
        source, destination, done.rc, tail or "it said nothing on stderr"
    )
