# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume's tree copied while it is written to, again and again, and once more when it is not (private to the
collection)."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _tree, _verify
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._tree import TreeError, TreeStats

# Before what was on its way to the disk got there; some file systems count seconds.
_MARGIN_NS = 2 * 10**9
# A round that takes more of the time of the one before than this is as short as it gets.
_SHRINKS = 0.8
_NOTHING = TreeStats(0, 0, 0.0, 0)


class Trees(NamedTuple):
    """The two folders of a volume, and the file that remembers what was compared (None: metadata is enough)."""

    name: str
    source: str
    destination: str
    memory: Path | None


def warm(trees: Trees, progress: Callable[[int], None] = lambda _count: None) -> TreeStats:
    """One round while the application runs: compare, and copy what differs. Raises TreeError, CommandError.

    What it copied is compared by the next round. Contents decide, so it does not matter that a file can be written, read
    and written again with the same size and time.
    """
    began, total = time.monotonic(), _NOTHING
    if not os.listdir(trees.destination):
        total = _tree.copy(trees.source, trees.destination, live=True, progress=progress)
    since = time.time_ns() - _MARGIN_NS
    # Written-back pages are write-protected, so the next write to a mapped file gives it a new ctime.
    run(["sync", "--file-system", trees.source])
    with _list() as listed:
        if _compare(trees, listed, since).different:
            total = _sum(total, _copy_listed(trees, listed, live=True, progress=progress))
    run(["sync", "--file-system", trees.destination])
    return total._replace(seconds=time.monotonic() - began)


def final(trees: Trees) -> TreeStats:
    """The last round, when nobody writes any more. Raises TreeError when the trees are not the same afterwards."""
    began, total = time.monotonic(), _NOTHING
    with _list() as listed:
        if _compare(trees, listed).different:
            total = _copy_listed(trees, listed)
            if _compare_listed(trees, listed).different:
                total = _sum(total, _thorough(trees, listed))
            run(["sync", "--file-system", trees.destination])
    return total._replace(seconds=time.monotonic() - began)


def _copy_listed(
    trees: Trees, listed: Path, *, live: bool = False, progress: Callable[[int], None] = lambda _count: None
) -> TreeStats:
    """Remove from the copy what the source does not have, and copy the rest of the list."""
    removed = 0
    for path in _verify.paths(listed):
        copy = os.path.join(os.fsencode(trees.destination), path)
        if not os.path.lexists(os.path.join(os.fsencode(trees.source), path)) and os.path.lexists(copy):
            removed += 1
            if os.path.isdir(copy) and not os.path.islink(copy):
                shutil.rmtree(copy)
            else:
                os.unlink(copy)
    stats = _tree.copy(trees.source, trees.destination, live=live, listed=listed, progress=progress)
    return stats._replace(changes=stats.changes + removed)


def _thorough(trees: Trees, listed: Path) -> TreeStats:
    """A round over everything, for what a list cannot say."""
    stats = _tree.copy(trees.source, trees.destination)
    verdict = _compare(trees, listed)
    if verdict.different:
        raise TreeError(
            "Volume {0} differs from Docker's in {1} places after the copy: {2}.".format(
                trees.name, verdict.different, "; ".join(verdict.shown)
            )
        )
    return stats


@contextmanager
def _list() -> Iterator[Path]:
    """An empty file for paths."""
    with tempfile.NamedTemporaryFile(prefix="docker_to_podman-") as handle:
        yield Path(handle.name)


def _compare(trees: Trees, listed: Path, since: int | None = None) -> _verify.Verdict:
    with _readable(trees), listed.open("wb") as changed:
        return _verify.compare(trees.source, trees.destination, trees.memory, changed, since=since)


def _compare_listed(trees: Trees, listed: Path) -> _verify.Verdict:
    with _readable(trees):
        return _verify.compare_listed(trees.source, trees.destination, listed, contents=trees.memory is not None)


@contextmanager
def _readable(trees: Trees) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TreeError(
            "Volume {0} cannot be compared: {1}: {2}.".format(trees.name, error.filename, error.strerror)
        ) from None


def _sum(one: TreeStats, other: TreeStats) -> TreeStats:
    return TreeStats(one.files + other.files, one.bytes + other.bytes, 0.0, one.changes + other.changes)


def is_settled(seconds: Sequence[float], wanted: float) -> bool:
    """Whether another round is of no use: the last one took no longer than wanted, or hardly less than the one before.

    The final round is expected to take as long as the last warm one, since it does the same.
    """
    return seconds[-1] <= wanted or (len(seconds) > 1 and seconds[-1] > _SHRINKS * seconds[-2])
