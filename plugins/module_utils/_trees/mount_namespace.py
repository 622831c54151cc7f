# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread that sees nothing of the host but the trees it works on (private to the collection).

The owner of a volume can exchange any name in it for a link to the host or for a device, between our look at it and its
use. So rsync runs in a mount namespace of its own, and so does all else that goes by names in such trees. Its root is an empty memory file
system with the trees at their own paths, and what rsync needs to run. The trees are mounted without devices, without
programs, and without links that lead anywhere (Linux 5.10); those that are read are read-only.

A mount namespace, a root and a working folder are a thread's own when it asks for them (unshare(2)): no process has to be
started for it, and nothing stays mounted when the thread ends or is killed. The thread does nothing else ever after.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any, Callable, Iterator, NamedTuple, Sequence, TypeVar

from . import mounts, overlay_layers
from .rsync import TreeError

_T = TypeVar("_T")

_CLOSED = mounts.NOSUID | mounts.NODEV | mounts.NOEXEC | mounts.NOSYMFOLLOW
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
# Where the new root is until it is the root: what is there stays where it is, and is only covered.
_COVERED = "/run"
# Of the host, read-only: programs and their libraries. No /proc: its links lead to every root there is.
_PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache")
_NULL = "/dev/null"
_CONTAINER = "/container"


class Source(NamedTuple):
    """A folder that is read. With ``layers``, the upper one first, it is a folder of what these make, a container's own
    file system; ``name`` begins messages about that."""

    folder: str
    layers: tuple[str, ...] = ()
    name: str = ""

    @property
    def seen(self) -> str:
        """Its path in the namespace."""
        return _CONTAINER + self.folder if self.layers else self.folder


class Within:
    """Runs work in the namespace."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def run(self, work: Callable[..., _T], *given: Any, **named: Any) -> _T:
        """What ``work`` returns or raises."""
        done = self._thread.submit(work, *given, **named)
        done.add_done_callback(lambda _done: self._calls.put(None))
        while True:
            call = self._calls.get()
            if call is None:
                return done.result()
            call()

    def outside(self, call: Callable[[int], None]) -> Callable[[int], None]:
        """``call``, which needs the host, for ``work``: the thread that waits in ``run`` calls it."""
        return lambda count: self._calls.put(partial(call, count))


@contextmanager
def confined(read: Sequence[Source], write: Sequence[str] = ()) -> Iterator[Within]:
    """A namespace with these folders. Raises TreeError when one of them cannot be had, or is another one at the end."""
    folders = [*(source.folder for source in read if not source.layers), *write]
    before = [_identity(folder) for folder in folders]
    # Asked here for the first time, or the whole program would keep what that thread sees.
    scratch = tempfile.gettempdir()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_enter, read, write, scratch).result()
        yield Within(thread)
    # One that was removed meanwhile looks empty to whoever has it open.
    for folder, identity in zip(folders, before):
        if _identity(folder) != identity:
            raise TreeError("{0} was replaced while it was used; run this again.".format(folder))


def _identity(folder: str) -> tuple[int, int]:
    try:
        found = os.lstat(folder)
    except OSError as error:
        raise TreeError("{0} cannot be used: {1}.".format(folder, error.strerror)) from None
    if not stat.S_ISDIR(found.st_mode):
        raise TreeError("{0} is not a folder; it is left alone.".format(folder))
    return found.st_dev, found.st_ino


def _enter(read: Sequence[Source], write: Sequence[str], scratch: str) -> None:
    """Move this thread, for good, to where nothing but the folders is."""
    handles: list[int] = []
    try:
        mounts.leave_the_others()
        programs = {path: _look(path, handles) for path in (*_PROGRAMS, _NULL) if os.path.lexists(path)}
        plain = {path: _look(path, handles) for path in [item.folder for item in read if not item.layers] + [*write]}
        mounts.mount("tmpfs", _COVERED, "tmpfs", mounts.NOSUID | mounts.NODEV | mounts.NOEXEC, "mode=0700")
        for path, handle in programs.items():
            _show_program(path, handle)
        os.makedirs(_COVERED + scratch, exist_ok=True)
        for path, handle in plain.items():
            _show(handle, path, _CLOSED | (0 if path in write else mounts.RDONLY))
        for source in read:
            if source.layers:
                _show_container(source, handles)
        mounts.move_root(_COVERED)
    except OSError as error:
        raise TreeError(
            "No namespace can be made for {0}: {1}{2}; see that root may mount on this host.".format(
                " and ".join([*(item.folder for item in read), *write]),
                error.strerror,
                " ({0})".format(error.filename) if error.filename else "",
            )
        ) from None
    finally:
        for handle in handles:
            os.close(handle)


def _look(path: str, handles: list[int]) -> int:
    """What is at a path, itself and not what a link leads to; nothing of it is opened."""
    handles.append(os.open(path, _LOOK))
    return handles[-1]


def _show_program(path: str, handle: int) -> None:
    kind = os.fstat(handle).st_mode
    if stat.S_ISLNK(kind):
        os.symlink(os.readlink(path), _COVERED + path)
    else:
        _show(handle, path, mounts.NOSUID | mounts.RDONLY | (0 if path == _NULL else mounts.NODEV))


def _show_container(source: Source, handles: list[int]) -> None:
    point = _COVERED + "/layers/mounted"
    os.makedirs(point)
    handles.append(overlay_layers.mounted(point, source.layers))
    handles.append(overlay_layers.inside(handles[-1], source.folder, source.name))
    _show(handles[-1], source.seen, _CLOSED | mounts.RDONLY)
    mounts.detach(point)


def _show(handle: int, path: str, flags: int) -> None:
    """Show a folder, with all that is mounted in it, or a file at a path of the new root."""
    place, found = _COVERED + path, os.fstat(handle)
    if stat.S_ISDIR(found.st_mode):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    mounts.bind(handle, place, flags)
    shown = os.lstat(place)
    if (shown.st_dev, shown.st_ino) != (found.st_dev, found.st_ino):
        raise OSError(errno.ENOENT, "it cannot be shown there", path)
