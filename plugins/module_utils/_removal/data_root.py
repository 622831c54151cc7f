# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's data root out of the host, and before it the volumes that Podman uses in place (private to the collection)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from .._common.command import run
from .._host import mount_table
from .._plan._topics.adopted import folder
from .._plan.model import is_below
from .._podman import storage as podman
from .._podman.units import UNIT_DIR
from .._volumes import adopt
from .leftovers import Found, ResidueError

# dockerd makes these in its data root (moby, daemon/daemon.go). A folder with fewer than three of them is something else.
_MARKS = frozenset(["buildkit", "containers", "engine-id", "image", "network", "plugins", "swarm", "tmp", "volumes"])
_FAR = "Podman uses it in place, and it is on another file system than the folder that would take it"


def move_adopted(inventory: dict[str, Any], check: bool) -> Found:
    """The volumes that Podman uses in place, out of Docker's data root; the containers that use them run on."""
    root = _data_root(inventory)
    if not os.path.lexists(root):
        return Found([], [])
    moved = adopt.move(root, UNIT_DIR, check)
    return Found(moved.moved, ["{0}: {1}".format(source, _FAR) for source in moved.stuck])


def remove_data_root(inventory: dict[str, Any], check: bool) -> Found:
    """Docker's data, in the folder that the inventory names. There is no way back from this."""
    root = _data_root(inventory)
    if not os.path.lexists(root):
        return Found([], [])
    require_removable(root)
    found = mount_table.parse(Path("/proc/self/mountinfo").read_text())
    _require_no_other_use(root, found)
    left = move_adopted(inventory, check).left
    if left:
        raise ResidueError(
            "{0} is not removed. {1}. Stop its services, replace its link in {2} by a copy made with cp --archive, start "
            "them, and run this again.".format(root, ". ".join(left), folder(root))
        )
    if not check:
        for point in mount_table.below(root, found):
            run(["umount", "--", point])
        _remove_tree(root)
    return Found([root], [])


def _data_root(inventory: dict[str, Any]) -> str:
    root = str(inventory["engine"].get("info", {}).get("DockerRootDir") or "")
    if not root.startswith("/"):
        raise ResidueError("The inventory does not say where Docker's data is; nothing was removed.")
    return root


def require_removable(root: str, unit_dir: str = UNIT_DIR) -> None:
    """ResidueError unless the folder is a data root of Docker that nobody else uses."""
    if os.path.realpath(root) != root or root.count("/") < 2 or not os.path.isdir(root):
        raise ResidueError("{0} is no plain folder at least two levels deep; it is left alone.".format(root))
    if len(_MARKS.intersection(os.listdir(root))) < 3:
        raise ResidueError("{0} does not look like a data root of Docker; it is left alone.".format(root))
    for unit in sorted(Path(unit_dir).glob("*.*")):
        if unit.is_file() and root + "/" in unit.read_text(encoding="utf-8", errors="replace"):
            raise ResidueError("{0} uses what lies below {1}; it is left alone.".format(unit, root))


def _require_no_other_use(root: str, found: list[mount_table.Mount]) -> None:
    """ResidueError when Podman's storage or another folder of the host is a part of the data root."""
    storage = podman.storage() if podman.installed() else ()
    for place in storage:
        if is_below(os.path.realpath(place), root):
            raise ResidueError(
                "Podman has its images and volumes in {0}, which is a part of {1}; it is left alone. Move Podman's storage "
                "out of it, and run this again.".format(place, root)
            )
    points = mount_table.elsewhere(root, found)
    if points:
        raise ResidueError(
            "{0} is mounted on {1}, too, or a part of it is; it is left alone. Unmount that when nobody uses it, and run this "
            "again.".format(root, ", ".join(points))
        )


def _remove_tree(root: str) -> None:
    """Remove a folder; of one that is a mount point only the content. Symbolic links are never followed."""
    if not shutil.rmtree.avoids_symlink_attacks:
        raise ResidueError("This Python cannot remove {0} safely; remove it by hand.".format(root))
    if not os.path.ismount(root):
        shutil.rmtree(root)
        return
    for entry in os.scandir(root):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
