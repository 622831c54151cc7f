# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes used in place: a link to Docker's folder, whose place the folder takes at removal (private to the collection).

    DATA_ROOT_adopted/NAME                    link to DATA_ROOT/volumes/…/_data, later that folder itself
                      .NAME.from              the link while the folder is moved

Podman's units know the first name only, so that nothing changes for them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from .._common.files import sync_folder
from .._plan._topics import adopted
from .._trees import rsync

_MOVING = re.compile(r"\.(.+)\.from\Z")


class AdoptError(rsync.TreeError):
    """A volume cannot be used in place, or not be moved. The message says why and what to do."""


class Moved(NamedTuple):
    """Folders that were moved (in check mode: would be), and those that would have to be copied for that."""

    moved: list[str]
    stuck: list[str]


def is_linked(volume: dict[str, Any]) -> bool:
    """Whether an adopted volume has its name. Raises AdoptError when something else has it."""
    path, source = volume["place"], volume["source"]
    if not os.path.lexists(path):
        return False
    if not os.path.islink(path) or os.readlink(path) != source:
        raise AdoptError("{0} is no link to {1}; move it away. Nothing was changed.".format(path, source))
    return True


def link(volume: dict[str, Any], data_root: str) -> None:
    """Give an adopted volume its name, in a folder that is closed to all whom Docker's data root is closed to."""
    folder = Path(volume["place"]).parent
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        os.chown(str(folder), -1, os.stat(data_root).st_gid)
        folder.chmod(0o710)
        sync_folder(folder.parent)
    os.symlink(volume["source"], volume["place"])
    sync_folder(folder)


def move(data_root: str, unit_dir: str, check: bool) -> Moved:
    """Move the folders of adopted volumes out of Docker's data root, which works while containers use them: a mount is
    of a folder, whatever its name. What an interrupted call left is brought to its end.

    Raises AdoptError, TreeError.
    """
    folder = Path(adopted.folder(data_root))
    _require_all(folder, unit_dir)
    result = Moved([], [])
    for link, name in _links(folder):
        source = os.readlink(str(link))
        if os.path.lexists(source):
            rsync.require_inside(source, os.path.join(data_root, "volumes"), "The volume {0} in".format(name))
            if _is_far(source, folder):
                result.stuck.append(source)
                continue
            result.moved.append("{0} -> {1}".format(source, folder / name))
            if not check:
                _move(source, link, folder / name)
        elif link.name != name and not check:
            os.unlink(str(link))
    return result


def _move(source: str, link: Path, target: Path) -> None:
    way = target.with_name(".{0}.from".format(target.name))
    os.rename(str(link), str(way))
    try:
        os.rename(source, str(target))
    except OSError as error:
        os.rename(str(way), str(target))
        raise AdoptError(
            "{0} cannot be moved to {1}: {2}. It is left where it is.".format(source, target, error.strerror)
        ) from None
    sync_folder(target.parent)
    os.unlink(str(way))


def _links(folder: Path) -> Iterator[tuple[Path, str]]:
    """The links to Docker's folders, and the names of the volumes."""
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.is_symlink():
            moving = _MOVING.match(entry.name)
            yield entry, moving.group(1) if moving else entry.name


def _is_far(source: str, folder: Path) -> bool:
    """Whether a folder would have to be copied: it is on another file system, or is one."""
    return os.stat(source).st_dev != os.stat(str(folder)).st_dev or os.path.ismount(source)


def _require_all(folder: Path, unit_dir: str) -> None:
    """AdoptError when a unit uses a volume that has lost its name: its data would go with Docker's."""
    known = {name for _link, name in _links(folder)} | set(os.listdir(str(folder)) if folder.is_dir() else ())
    used = re.compile(re.escape(str(folder)) + "/([a-zA-Z0-9][a-zA-Z0-9_.-]*)")
    for unit in sorted(Path(unit_dir).glob("*.*")):
        if not unit.is_file():
            continue
        for name in used.findall(unit.read_text(encoding="utf-8", errors="replace")):
            if name not in known:
                raise AdoptError(
                    "{0} uses {1}, which is not there: make it a link to its folder below Docker's volumes again. "
                    "Nothing was changed.".format(unit, folder / name)
                )
