# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stopped dockerd leaves behind: rules, bridges, its data (private to the collection).

Each part is a function of the recorded inventory that says what there is and, unless it is asked only, removes it.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from .._common.command import run
from .._docker import daemons
from .._host import mount_table
from .._move import guard
from .._network import iptables, user_rules
from .._network.probe import Outside, Port
from .._plan._topics.adopted import folder
from .._plan.model import is_below
from .._podman import storage as podman
from .._podman.units import UNIT_DIR
from .._volumes import adopt

# What dockerd makes in its data root (moby, daemon/daemon.go); a folder with fewer than three of them is something else.
_MARKS = frozenset(["buildkit", "containers", "engine-id", "image", "network", "plugins", "swarm", "tmp", "volumes"])
_FAR = "Podman uses it in place, and it is on another file system than the folder that would take it"
_BRIDGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")


class ResidueError(Exception):
    """Something must not be removed. The message says what and why."""


class Found(NamedTuple):
    """What of Docker is there, and what is left on purpose, each in a few words."""

    found: list[str]
    left: list[str]


def require_no_docker() -> None:
    """ResidueError while a dockerd runs whose rules are among this host's: nothing says which of them are whose."""
    found = [str(one) for one in daemons.running() if one.shares_network]
    if found:
        raise ResidueError(
            "dockerd runs ({0}), and its firewall rules cannot be told from those of a stopped one; stop it, and run this "
            "again.".format(", ".join(found))
        )


def remove_firewall(inventory: dict[str, Any], ports: Sequence[Port], state: Path, check: bool) -> Found:
    """Docker's chains and rules in both families; rules that the user put into DOCKER-USER are kept in FORWARD, and recorded
    in the folder of the engine, ``state``.

    Without Docker's rules those of another firewall may come to bear. ResidueError, and all is as it was, when one of the
    published ``ports`` would no longer answer from outside.
    """
    bridges = iptables.dockers_bridges(inventory.get("networks") or [])
    removals = {family: iptables.removal(iptables.read(family), bridges) for family in iptables.FAMILIES}
    found = ["{0} {1}".format(family, item) for family, removal in removals.items() for item in removal.found]
    left = [
        "{0} FORWARD: {1} (was in DOCKER-USER)".format(family, item)
        for family, removal in removals.items()
        for item in removal.kept
    ]
    scripts = {family: removal.script for family, removal in removals.items() if removal.script}
    if scripts and not check:
        user_rules.note(state, {family: removal.kept for family, removal in removals.items()})
        _apply_unless_closed(scripts, [port for port in ports if port["proto"] == "tcp"])
    return Found(found, left)


def _apply_unless_closed(scripts: dict[str, str], ports: Sequence[Port]) -> None:
    with Outside() as outside:
        answered = outside.answering(ports)
        before = {family: iptables.save(family) for family in scripts}
        try:
            for family, script in scripts.items():
                iptables.apply(family, script)
            still = outside.answering(answered)
            closed = [str(port["host_port"]) for port in answered if port not in still]
            if closed:
                raise ResidueError(
                    "Without Docker's rules port {0} would not answer from outside any more, so they stay until the next boot: "
                    "another firewall of this host closes FORWARD. Let the traffic of Podman's bridges pass there (for ufw "
                    "the role podman does), and run this again.".format(", ".join(closed))
                )
        except BaseException:
            for family, text in before.items():
                iptables.restore(family, text)
            raise


def remove_bridges(inventory: dict[str, Any], check: bool) -> Found:
    """The bridges of the inventory's networks, as far as nothing is attached to them."""
    result = Found([], [])
    for name in iptables.dockers_bridges(inventory.get("networks") or []):
        if not _BRIDGE.match(name) or not os.path.isdir("/sys/class/net/{0}/bridge".format(name)):
            continue
        if name != "docker0" and not iptables.DEFAULT_BRIDGE.match(name):
            result.left.append("{0}: it has a name of its own, so it may be the host's".format(name))
            continue
        attached = sorted(os.listdir("/sys/class/net/{0}/brif".format(name)))
        if attached:
            result.left.append("{0}: {1} is attached to it".format(name, ", ".join(attached)))
            continue
        result.found.append(name)
        if not check:
            run(["ip", "link", "delete", name, "type", "bridge"])
    return result


def remove_services(state_dir: str, check: bool) -> Found:
    """The services of this collection that help while workloads move, and their program."""
    # In check mode the task that retires the last engine has not been done.
    if guard.is_needed(state_dir) and not check:
        return Found([], guard.found(state_dir))
    result = Found(guard.found(state_dir), [])
    if not check:
        guard.remove(state_dir)
    return result


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
