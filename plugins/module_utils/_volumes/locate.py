# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's volumes and Podman's: which folders they are, and what may be written (private to the collection)."""

from __future__ import annotations

import os
import re
from typing import Any, Iterable

from .._common.errors import UserError
from .._common.files import make_folder
from .._podman import storage
from .._state.engine_state import EngineState
from .._state.records import safe_name
from .._trees import overlay_layers, rsync
from .._trees.mount_namespace import Source
from . import adopt
from .rounds import Trees

# Says of a volume that this collection made it, and from what: nothing else is ever overwritten.
SOURCE_LABEL = "podshift.docker_to_podman.source"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")


class VolumeError(UserError):
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
    """The folders of a workload's volumes whose data is copied. The volumes must exist.

    Raises VolumeError, TreeError, CommandError.
    """
    held, root = storage.volumes(), storage.storage().volume_root
    copied = [volume for volume in distinct(workload["volumes"]) if is_copied(volume)]
    for volume in copied:
        admit(plan, volume, held, root)
    require_unused([volume["name"] for volume in copied])
    return [_trees(plan, engine, volume, held, root) for volume in copied]


def _trees(
    plan: dict[str, Any], engine: EngineState, volume: dict[str, Any], held: dict[str, storage.Volume], root: str
) -> Trees:
    memory = engine.root / "volumes" / (safe_name(volume["name"]) + ".seen")
    make_folder(memory.parent)
    is_quick = volume.get("verify") == "quick"
    return Trees(
        volume["name"],
        source_of(plan, volume),
        destination_of(volume, held, root),
        None if is_quick else memory,
        tuple(volume.get("layers", ())),
    )


def distinct(volumes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each volume once; containers that share one each list it."""
    return list({(volume["name"], volume["source"]): volume for volume in volumes}.values())


def admit(plan: dict[str, Any], volume: dict[str, Any], held: dict[str, storage.Volume], root: str) -> None:
    """Refuse what must not be copied from or onto, before anything is written.

    A volume of Podman's that is not ours is never filled, empty or not: the next run could not tell it from one with
    somebody's data.
    """
    name = volume["name"]
    if not _NAME.match(name):
        raise VolumeError("{0!r} cannot be the name of a Podman volume; nothing was copied.".format(name))
    if not only_defined(volume):
        if volume["strategy"] not in ("copy", "adopt", "persist"):
            raise VolumeError("Volume {0} has the unknown strategy {1!r}.".format(name, volume["strategy"]))
        source_of(plan, volume)
    if is_adopted(volume):
        adopt.is_linked(volume)
        return
    found = held.get(name)
    if found is None or (only_defined(volume) and found.options in (volume["driver_opts"], options(volume))):
        return
    if only_defined(volume):
        raise VolumeError("Podman's volume {0} has other options than Docker's; remove it first.".format(name))
    destination_of(volume, held, root)
    if found.labels.get(SOURCE_LABEL) != volume["source"]:
        raise VolumeError(
            "Podman already has a volume {0} that was not made from {1}, so nothing was copied; remove it (podman volume "
            "rm {0}), or keep its data under another name first.".format(name, volume["source"])
        )


def require_adopted(plan: dict[str, Any], workload: dict[str, Any]) -> None:
    """Refuse when an adopted volume of a workload has no name yet. Reads only."""
    for volume in filter(is_adopted, workload["volumes"]):
        source_of(plan, volume)
        if not adopt.is_linked(volume):
            raise VolumeError(
                "Volume {0} is not staged; run the role stage first. Nothing was changed.".format(volume["name"])
            )


def require_unused(names: list[str]) -> None:
    """Refuse to write what a container of Podman's uses."""
    users = storage.running_on(names)
    if users:
        raise VolumeError(
            "Podman's container {0} runs on a volume that would be overwritten; stop it first.".format(", ".join(users))
        )


def create(volume: dict[str, Any]) -> None:
    """Create a volume that Podman does not have."""
    labels = {**(volume["labels"] or {}), SOURCE_LABEL: volume["source"]}
    storage.create_volume(volume["name"], labels, options(volume))


def options(volume: dict[str, Any]) -> dict[str, str]:
    """Docker's options, and those that make Podman leave the folder alone as a restart does under Docker.

    Into a volume that is empty at its first start Podman copies the image's files, unless it is ``nocopy``, and gives
    it to the container's user, unless an owner is among its options (libpod, NeedsCopyUp and NeedsChown; seen on 5.4
    and 5.8). Where mount(8) would hand an owner to a file system that knows none, there is no such option.
    """
    own = dict(volume["driver_opts"] or {})
    words = [word for word in own.get("o", "").split(",") if word]
    if only_defined(volume) and own.get("type") != "tmpfs" and not {"bind", "rbind"} & set(words):
        # Podman mounts what has options of its own besides.
        return {**own, "nocopy": ""} if len(own) > 1 else own
    has_owner = any(word.partition("=")[0] in ("uid", "gid") for word in words)
    return {**own, "nocopy": "", "o": ",".join(words if has_owner else [*words, "uid=0", "gid=0"])}


def source_of(plan: dict[str, Any], volume: dict[str, Any]) -> str:
    """Docker's folder of a volume, ``ID:/path`` where it is one of a container's own file system.

    Raises TreeError when it is not where Docker keeps such data.
    """
    if volume["strategy"] == "persist":
        overlay_layers.require("The data of volume " + volume["name"], volume["layers"], plan["engine"]["data_root"])
        return str(volume["source"])
    folder = os.path.join(plan["engine"]["data_root"], "volumes")
    return rsync.require_inside(volume["source"], folder, "The data of volume {0} in".format(volume["name"]))


def reading(plan: dict[str, Any], volume: dict[str, Any]) -> Source:
    """What is read of a volume. Raises TreeError."""
    source = source_of(plan, volume)
    if volume["strategy"] != "persist":
        return Source(source)
    return Source(volume["path"], tuple(volume["layers"]), volume["name"])


def destination_of(volume: dict[str, Any], held: dict[str, storage.Volume], root: str) -> str:
    """Podman's folder of a volume."""
    name = volume["name"]
    if name not in held:
        raise VolumeError("Podman has no volume {0}; run the role stage first.".format(name))
    return rsync.require_inside(held[name].mountpoint, root, "Podman's volume {0} in".format(name))
