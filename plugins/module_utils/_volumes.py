# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's volumes and Podman's: which folders they are, and what may be written (private to the collection)."""

from __future__ import annotations

import os
import re
from typing import Any, Iterable

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _adopted as adopted
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _tree as tree
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import (
    EngineState,
    make_folder,
    safe_name,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._rounds import Trees

# Says of a volume that this collection made it, and from what: nothing else is ever overwritten.
SOURCE_LABEL = "podshift.docker_to_podman.source"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


class VolumeError(Exception):
    """A volume cannot be transferred. The message names it and says what to do."""


def only_defined(volume: dict[str, Any]) -> bool:
    """Whether the data lies elsewhere (nfs, bind, tmpfs): Docker mounts a volume that has one of these options
    (moby volume/local/local_unix.go, needsMount)."""
    options = volume["driver_opts"] or {}
    return bool(options.get("type") or options.get("device"))


def is_adopted(volume: dict[str, Any]) -> bool:
    """Whether Podman uses Docker's folder, so that there is neither a copy nor a volume of Podman's."""
    return volume.get("strategy") == "adopt"


def is_copied(volume: dict[str, Any]) -> bool:
    """Whether Podman has a copy of the data."""
    return not only_defined(volume) and not is_adopted(volume)


def trees(plan: dict[str, Any], engine: EngineState, workload: dict[str, Any]) -> list[Trees]:
    """The folders of a workload's volumes whose data is copied. All its volumes must have been staged.

    Raises VolumeError, TreeError, CommandError.
    """
    held, root = podman.volumes(), podman.storage().volume_root
    found = distinct(workload["volumes"])
    copied = [volume for volume in found if is_copied(volume)]
    for volume in found:
        admit(plan, volume, held, root)
        if is_adopted(volume) and not adopted.is_linked(volume):
            raise VolumeError("Volume {0} is not staged; run the role stage first.".format(volume["name"]))
    require_unused([volume["name"] for volume in copied])
    return [_trees(plan, engine, volume, held, root) for volume in copied]


def _trees(
    plan: dict[str, Any], engine: EngineState, volume: dict[str, Any], held: dict[str, podman.Volume], root: str
) -> Trees:
    memory = engine.root / "volumes" / (safe_name(volume["name"]) + ".seen")
    make_folder(memory.parent)
    is_quick = volume.get("verify") == "quick"
    return Trees(
        volume["name"], source_of(plan, volume), destination_of(volume, held, root), None if is_quick else memory
    )


def distinct(volumes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each volume once; containers that share one each list it."""
    return list({(volume["name"], volume["source"]): volume for volume in volumes}.values())


def admit(plan: dict[str, Any], volume: dict[str, Any], held: dict[str, podman.Volume], root: str) -> None:
    """Refuse what must not be copied from or onto, before anything is written."""
    name = volume["name"]
    if not _NAME.match(name):
        raise VolumeError("{0!r} cannot be the name of a Podman volume; nothing was copied.".format(name))
    if not only_defined(volume):
        if volume["strategy"] not in ("copy", "adopt"):
            raise VolumeError("Volume {0} has the unknown strategy {1!r}.".format(name, volume["strategy"]))
        source_of(plan, volume)
    if is_adopted(volume):
        adopted.is_linked(volume)
        return
    found = held.get(name)
    if found is None or (only_defined(volume) and found.options == volume["driver_opts"]):
        return
    if only_defined(volume):
        raise VolumeError("Podman's volume {0} has other options than Docker's; remove it first.".format(name))
    folder = destination_of(volume, held, root)
    if found.labels.get(SOURCE_LABEL) != volume["source"] and os.listdir(folder):
        raise VolumeError(
            "Podman already has a volume {0} that was not made from {1}; remove or rename it first.".format(
                name, volume["source"]
            )
        )


def require_unused(names: list[str]) -> None:
    """Refuse to write what a container of Podman's uses."""
    users = podman.running_on(names)
    if users:
        raise VolumeError(
            "Podman's container {0} runs on a volume that would be overwritten; stop it first.".format(", ".join(users))
        )


def create(volume: dict[str, Any]) -> None:
    """Create a volume that Podman does not have."""
    labels = {**(volume["labels"] or {}), SOURCE_LABEL: volume["source"]}
    podman.create_volume(volume["name"], labels, volume["driver_opts"] or {})


def source_of(plan: dict[str, Any], volume: dict[str, Any]) -> str:
    """Docker's folder of a volume; VolumeError or TreeError when it is not below Docker's volumes."""
    folder = os.path.join(plan["engine"]["data_root"], "volumes")
    return tree.require_inside(volume["source"], folder, "The data of volume {0} in".format(volume["name"]))


def destination_of(volume: dict[str, Any], held: dict[str, podman.Volume], root: str) -> str:
    """Podman's folder of a volume."""
    name = volume["name"]
    if name not in held:
        raise VolumeError("Podman has no volume {0}; run the role stage first.".format(name))
    return tree.require_inside(held[name].mountpoint, root, "Podman's volume {0} in".format(name))
