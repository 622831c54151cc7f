# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of a container's own file system, read where Docker keeps its layers (private to the collection).

Docker unmounts a container's file system when it stops, and while it runs what is mounted into it lies on top. So its
layers are mounted once more, all of them read-only, for one round of a copy: the kernel remembers what it has seen of
layers that somebody else writes to.
"""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Sequence

from .._common.command import run
from .._common.files import make_folder
from .._state.records import SCRATCH_DIR
from . import rsync
from .rsync import TreeError

_SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
_HOSTS_OWN = "/var/lib/containerd"
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# The newer system calls, which util-linux 2.39 prefers, take no list of layers above 255 characters.
_CLASSIC = {"LIBMOUNT_FORCE_MOUNT2": "always"}


def require(what: str, layers: Sequence[str], data_root: str) -> None:
    """TreeError unless all layers are folders of Docker's storage. ``what`` begins the message."""
    roots = [
        os.path.join(data_root, "overlay2"),
        os.path.join(data_root, "containerd/daemon", _SNAPSHOTS),
        os.path.join(_HOSTS_OWN, _SNAPSHOTS),
    ]
    for layer in layers:
        root = next((folder for folder in roots if layer.startswith(folder + "/")), roots[0])
        rsync.require_inside(layer, root, what + ": its layer")


@contextmanager
def opened(what: str, layers: Sequence[str], path: str) -> Iterator[str]:
    """The folder at ``path`` (absolute) of these layers, the upper one first, as a path that is good meanwhile.

    It leads past names that the container can turn into links to the host. Raises TreeError, CommandError.
    """
    root = _mounted(layers)
    try:
        folder = _inside(root, path, what)
    finally:
        os.close(root)
    try:
        yield "/proc/{0}/fd/{1}".format(os.getpid(), folder)
    finally:
        os.close(folder)


def _mounted(layers: Sequence[str]) -> int:
    """The root of a mount that is in no folder any more: it goes with the last who has it open, also when killed."""
    make_folder(Path(SCRATCH_DIR))
    scratch = tempfile.mkdtemp(prefix="layers-", dir=SCRATCH_DIR)
    point = os.path.join(scratch, "root")
    os.mkdir(point)
    # Their own names, of which there can be 128, are longer than the options of a mount may be (a page).
    links = [os.path.join(scratch, str(number)) for number in range(len(layers))]
    try:
        for link, layer in zip(links, layers):
            os.symlink(layer, link)
        options = "ro,index=off,lowerdir=" + ":".join(os.path.basename(link) for link in links)
        run(["mount", "-t", "overlay", "-o", options, "overlay", point], cwd=scratch, env=_CLASSIC)
        try:
            return os.open(point, _FOLDER)
        finally:
            run(["umount", "--lazy", point])
    finally:
        for link in links:
            if os.path.lexists(link):
                os.unlink(link)
        os.rmdir(point)
        os.rmdir(scratch)


def _inside(root: int, path: str, what: str) -> int:
    folder = os.dup(root)
    for part in path.strip("/").split("/"):
        try:
            inner = os.open(part, _FOLDER, dir_fd=folder)
        except OSError as error:
            raise TreeError(_unusable(what, path, error)) from None
        finally:
            os.close(folder)
        folder = inner
    return folder


def _unusable(what: str, path: str, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "{0}: {1} does not exist in the container; correct policy.containers, persist.".format(what, path)
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return (
            "{0}: {1} is no folder of the container, or is reached through a symbolic link there; name the folder itself "
            "in policy.containers, persist.".format(what, path)
        )
    return "{0}: {1} cannot be opened in the container: {2}.".format(what, path, error.strerror)
