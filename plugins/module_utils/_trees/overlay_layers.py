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
from typing import Sequence

from . import beneath, mounts, rsync
from .rsync import TreeError

_SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
_HOSTS_OWN = "/var/lib/containerd"


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


def mounted(point: str, layers: Sequence[str]) -> int:
    """The root of what these layers make, the upper one first, mounted on an empty folder of the caller's own mount
    namespace. Raises OSError."""
    # Their own names, of which there can be 128, are longer than the options of a mount may be (a page).
    links = os.path.dirname(point)
    for number, layer in enumerate(layers):
        os.symlink(layer, os.path.join(links, str(number)))
    options = "index=off,lowerdir=" + ":".join(str(number) for number in range(len(layers)))
    os.chdir(links)
    mounts.mount("overlay", point, "overlay", mounts.RDONLY, options)
    return os.open(point, beneath.FOLDER)


def inside(root: int, path: str, what: str) -> int:
    """The folder at ``path`` (absolute) below an open root, past names that the container can turn into links to the host.
    Raises TreeError; ``what`` begins its message."""
    try:
        return beneath.look(root, os.fsencode(path), beneath.FOLDER)
    except OSError as error:
        raise TreeError(_unusable(what, path, error)) from None


def _unusable(what: str, path: str, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "{0}: {1} does not exist in the container; correct policy.containers, persist.".format(what, path)
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return (
            "{0}: {1} is no folder of the container, or is reached through a symbolic link there; name the folder itself "
            "in policy.containers, persist.".format(what, path)
        )
    return "{0}: {1} cannot be opened in the container: {2}.".format(what, path, error.strerror)
