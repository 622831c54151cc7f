# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume's tree copied while it is written to, again and again, and once more when it is not (private to the
collection)."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Callable, ContextManager, NamedTuple, Sequence

from .._common.command import run
from .._common.errors import sentence
from .._trees import clone, compare, rsync
from .._trees.compare_cache import Remembered
from .._trees.mount_namespace import Source, Within, confined
from .._trees.rsync import TreeError, TreeStats

# Beside the copy while a warm round runs, and after one that failed or was killed: its time is when the round began.
_STAMP = ".since"
_TICK = 0.01
# A round that takes more of the time of the one before than this is as short as it gets.
_SHRINKS = 0.8


Count = Callable[[int], None]


def _uncounted(_bytes: int) -> None:
    """Nobody watches."""


class Trees(NamedTuple):
    """The two folders of a volume, and the file that remembers what was compared (None: metadata is enough).

    With ``layers`` the source is a folder of a container, ``ID:/path``.
    """

    name: str
    source: str
    destination: str
    memory: Path | None
    layers: tuple[str, ...] = ()

    @property
    def read(self) -> Source:
        """What is read of it."""
        return Source(self.source.partition(":")[2] if self.layers else self.source, self.layers, self.name)

    @property
    def disk(self) -> str:
        """A folder on the file system that is written to: to an overlay that is read-only, sync does nothing."""
        return self.layers[0] if self.layers else self.source


def warm(trees: Trees, copied: Count = _uncounted, compared: Count = _uncounted) -> TreeStats:
    """One round while the application runs; ``copied`` and ``compared`` get bytes. Raises TreeError, CommandError."""
    copied(0)
    with confined([trees.read], [trees.destination]) as within:
        return _warm(trees, within, copied, compared)


def _warm(trees: Trees, within: Within, copied: Count, compared: Count) -> TreeStats:
    began, stamp = time.monotonic(), Path(trees.destination + _STAMP)
    if not stamp.exists():
        # What was written before, and in the same tick of the kernel's clock, shall not count as written meanwhile.
        time.sleep(2 * _TICK)
        stamp.touch(mode=0o600)
    # Written-back pages are write-protected, so the next write to a mapped file gives it a new time.
    run(["sync", "--file-system", trees.disk])
    cloned = _clone(trees, copied)
    stats = within.run(rsync.copy, trees.read.seen, trees.destination, live=True, progress=within.outside(copied))
    compared(0)
    # What is remembered as equal has to be on the disk.
    run(["sync", "--file-system", trees.destination])
    _compare(trees, within, trees.memory, stamp.stat().st_mtime_ns, compared)
    stamp.unlink()
    return TreeStats(
        stats.files + cloned.files,
        stats.bytes + cloned.bytes,
        time.monotonic() - began,
        max(stats.changes, cloned.files),
        cloned.bytes,
    )


def _clone(trees: Trees, copied: Count) -> clone.Cloned:
    """Fill a copy that has nothing yet. An overlay has no files that could be cloned into another file system."""
    if trees.layers or os.listdir(trees.destination):
        return clone.Cloned(0, 0)
    return clone.fill(trees.source, trees.destination, copied)


def final(trees: Trees) -> TreeStats:
    """The last round, when nobody writes any more. Raises TreeError when the trees are not the same afterwards."""
    with confined([trees.read], [trees.destination]) as within:
        return _final(trees, within)


def _final(trees: Trees, within: Within) -> TreeStats:
    began, stamp = time.monotonic(), Path(trees.destination + _STAMP)
    if stamp.exists():
        _compare(trees, within, None, stamp.stat().st_mtime_ns)
    stats = within.run(rsync.copy, trees.read.seen, trees.destination)
    run(["sync", "--file-system", trees.destination])
    verdict = _compare(trees, within, trees.memory, None)
    if verdict.different:
        raise TreeError(
            "Volume {0} differs from Docker's in {1} places after the copy: {2}.".format(
                trees.name, verdict.different, "; ".join(verdict.shown)
            )
        )
    if stamp.exists():
        stamp.unlink()
    return stats._replace(seconds=time.monotonic() - began)


def _compare(
    trees: Trees, within: Within, memory: Path | None, since: int | None, compared: Count = _uncounted
) -> compare.Verdict:
    known: ContextManager[Remembered | None] = nullcontext()
    if memory is not None:
        known = Remembered(memory, trees.source, trees.destination)
    try:
        with known as remembered:
            return within.run(
                compare.compare,
                trees.read.seen,
                trees.destination,
                remembered,
                since=since,
                progress=within.outside(compared),
            )
    except OSError as error:
        raise TreeError("Volume {0} cannot be compared: {1}".format(trees.name, sentence(error))) from None


def is_settled(seconds: Sequence[float], wanted: float) -> bool:
    """Whether another round is of no use: the last one took no longer than wanted, or hardly less than the one before.

    The final round is expected to take as long as the last warm one, since it does the same.
    """
    return seconds[-1] <= wanted or (len(seconds) > 1 and seconds[-1] > _SHRINKS * seconds[-2])
