# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume's tree copied while it is written to, again and again, and once more when it is not (private to the
collection)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _clones, _tree, _verify
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._tree import TreeError, TreeStats

# Beside the copy while a warm round runs, and after one that failed or was killed: its time is when the round began.
_STAMP = ".since"
_TICK = 0.01
# A round that takes more of the time of the one before than this is as short as it gets.
_SHRINKS = 0.8


class Trees(NamedTuple):
    """The two folders of a volume, and the file that remembers what was compared (None: metadata is enough)."""

    name: str
    source: str
    destination: str
    memory: Path | None


def warm(trees: Trees, progress: Callable[[int], None] = lambda _count: None) -> TreeStats:
    """One round while the application runs. Raises TreeError, CommandError."""
    began, stamp = time.monotonic(), Path(trees.destination + _STAMP)
    if not stamp.exists():
        # What was written before, and in the same tick of the kernel's clock, shall not count as written meanwhile.
        time.sleep(2 * _TICK)
        stamp.touch(mode=0o600)
    # Written-back pages are write-protected, so the next write to a mapped file gives it a new time.
    run(["sync", "--file-system", trees.source])
    cloned = _clones.Cloned(0, 0)
    if not os.listdir(trees.destination):
        cloned = _clones.fill(trees.source, trees.destination, progress)
    stats = _tree.copy(trees.source, trees.destination, live=True, progress=progress)
    # What is remembered as equal has to be on the disk.
    run(["sync", "--file-system", trees.destination])
    _compare(trees, trees.memory, stamp.stat().st_mtime_ns)
    stamp.unlink()
    return TreeStats(
        stats.files + cloned.files,
        stats.bytes + cloned.bytes,
        time.monotonic() - began,
        max(stats.changes, cloned.files),
        cloned.bytes,
    )


def final(trees: Trees) -> TreeStats:
    """The last round, when nobody writes any more. Raises TreeError when the trees are not the same afterwards."""
    began, stamp = time.monotonic(), Path(trees.destination + _STAMP)
    if stamp.exists():
        _compare(trees, None, stamp.stat().st_mtime_ns)
    stats = _tree.copy(trees.source, trees.destination)
    run(["sync", "--file-system", trees.destination])
    verdict = _compare(trees, trees.memory, None)
    if verdict.different:
        raise TreeError(
            "Volume {0} differs from Docker's in {1} places after the copy: {2}.".format(
                trees.name, verdict.different, "; ".join(verdict.shown)
            )
        )
    if stamp.exists():
        stamp.unlink()
    return stats._replace(seconds=time.monotonic() - began)


def _compare(trees: Trees, memory: Path | None, since: int | None) -> _verify.Verdict:
    try:
        return _verify.compare(trees.source, trees.destination, memory, since=since)
    except OSError as error:
        raise TreeError(
            "Volume {0} cannot be compared: {1}: {2}.".format(trees.name, error.filename, error.strerror)
        ) from None


def is_settled(seconds: Sequence[float], wanted: float) -> bool:
    """Whether another round is of no use: the last one took no longer than wanted, or hardly less than the one before.

    The final round is expected to take as long as the last warm one, since it does the same.
    """
    return seconds[-1] <= wanted or (len(seconds) > 1 and seconds[-1] > _SHRINKS * seconds[-2])
