# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's volumes into Podman's (private to the collection)."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any, Iterable, NamedTuple

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _tree as tree
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._staging import Ownership

# Says of a volume that this collection made it, and from what: nothing else is ever overwritten.
SOURCE_LABEL = "podshift.docker_to_podman.source"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


class VolumeError(Exception):
    """A volume cannot be transferred. The message names it and says what to do."""


class Trees(NamedTuple):
    """The two folders of a volume."""

    name: str
    source: str
    destination: str


def only_defined(volume: dict[str, Any]) -> bool:
    """Whether the data lies elsewhere (nfs, bind, tmpfs): Docker mounts a volume that has one of these options
    (moby volume/local/local_unix.go, needsMount)."""
    options = volume["driver_opts"] or {}
    return bool(options.get("type") or options.get("device"))


def trees(plan: dict[str, Any], workload: dict[str, Any]) -> list[Trees]:
    """The folders of a workload's volumes whose data is copied, for the final sync. The volumes must exist.

    Raises VolumeError, TreeError, CommandError.
    """
    held, root = podman.volumes(), podman.storage().volume_root
    copied = [volume for volume in _distinct(workload["volumes"]) if not only_defined(volume)]
    for volume in copied:
        _admit(plan, volume, held, root)
    _require_unused([volume["name"] for volume in copied])
    return [Trees(item["name"], _source(plan, item), _destination(item, held, root)) for item in copied]


def transfer(plan: dict[str, Any], owners: Ownership, *, check: bool) -> list[dict[str, Any]]:
    """Create and fill the Podman volumes of Docker's workloads; those of committed workloads are never touched.

    Returns, for each volume: name, action (copied, unchanged, created, would-copy, would-create, skipped), files,
    bytes, seconds. Raises VolumeError, TreeError, CommandError.
    """
    moved = _distinct(volume for workload in owners.podman for volume in workload["volumes"])
    kept = {volume["name"] for volume in moved}
    todo = _distinct(volume for workload in owners.docker for volume in workload["volumes"])
    todo = [volume for volume in todo if volume["name"] not in kept]
    held: dict[str, podman.Volume] = {}
    root = ""
    if podman.installed() or not check:
        held, root = podman.volumes(), podman.storage().volume_root
    for volume in todo:
        _admit(plan, volume, held, root)
    _require_unused([volume["name"] for volume in todo if volume["name"] in held])
    if check:
        return [_foresee(plan, volume, held, root) for volume in todo] + [_result(item, "skipped") for item in moved]
    return [_move(plan, volume, held, root) for volume in todo] + [_result(item, "skipped") for item in moved]


def _distinct(volumes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    # Containers that share a volume each list it.
    return list({(volume["name"], volume["source"]): volume for volume in volumes}.values())


def _admit(plan: dict[str, Any], volume: dict[str, Any], held: dict[str, podman.Volume], root: str) -> None:
    """Refuse what must not be copied from or onto, before anything is written."""
    name = volume["name"]
    if not _NAME.match(name):
        raise VolumeError("{0!r} cannot be the name of a Podman volume; nothing was copied.".format(name))
    if not only_defined(volume):
        if volume["strategy"] != "copy":
            raise VolumeError("Volume {0} has the unknown strategy {1!r}.".format(name, volume["strategy"]))
        _source(plan, volume)
    found = held.get(name)
    if found is None or (only_defined(volume) and found.options == volume["driver_opts"]):
        return
    if only_defined(volume):
        raise VolumeError("Podman's volume {0} has other options than Docker's; remove it first.".format(name))
    folder = _destination(volume, held, root)
    if found.labels.get(SOURCE_LABEL) != volume["source"] and os.listdir(folder):
        raise VolumeError(
            "Podman already has a volume {0} that was not made from {1}; remove or rename it first.".format(
                name, volume["source"]
            )
        )


def _require_unused(names: list[str]) -> None:
    users = podman.running_on(names)
    if users:
        raise VolumeError(
            "Podman's container {0} runs on a volume that would be overwritten; stop it first.".format(", ".join(users))
        )


def _move(plan: dict[str, Any], volume: dict[str, Any], held: dict[str, podman.Volume], root: str) -> dict[str, Any]:
    name, created = volume["name"], volume["name"] not in held
    if created:
        labels = {**(volume["labels"] or {}), SOURCE_LABEL: volume["source"]}
        podman.create_volume(name, labels, volume["driver_opts"] or {})
    if only_defined(volume):
        return _result(volume, "created" if created else "unchanged")
    if created:
        held = podman.volumes()
    stats = tree.sync(_source(plan, volume), _destination(volume, held, root), live=True)
    return _result(volume, "copied" if created or stats.changes else "unchanged", stats)


def _foresee(plan: dict[str, Any], volume: dict[str, Any], held: dict[str, podman.Volume], root: str) -> dict[str, Any]:
    if only_defined(volume):
        return _result(volume, "unchanged" if volume["name"] in held else "would-create")
    if volume["name"] not in held or not shutil.which("rsync"):
        return _result(volume, "would-copy")
    stats = tree.sync(_source(plan, volume), _destination(volume, held, root), live=True, dry_run=True)
    return _result(volume, "would-copy" if stats.changes else "unchanged", stats)


def _source(plan: dict[str, Any], volume: dict[str, Any]) -> str:
    folder = os.path.join(plan["engine"]["data_root"], "volumes")
    return tree.require_inside(volume["source"], folder, "The data of volume {0} in".format(volume["name"]))


def _destination(volume: dict[str, Any], held: dict[str, podman.Volume], root: str) -> str:
    name = volume["name"]
    if name not in held:
        raise VolumeError("Podman has no volume {0}; run the role stage first.".format(name))
    return tree.require_inside(held[name].mountpoint, root, "Podman's volume {0} in".format(name))


def _result(volume: dict[str, Any], action: str, stats: tree.TreeStats | None = None) -> dict[str, Any]:
    files, size, seconds = (stats.files, stats.bytes, round(stats.seconds, 2)) if stats else (0, 0, 0.0)
    return {"name": volume["name"], "action": action, "files": files, "bytes": size, "seconds": seconds}
