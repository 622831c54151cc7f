# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge to Podman: its images, volumes and folders (private to the collection)."""

from __future__ import annotations

import json
import shutil
from typing import Any, Iterable, NamedTuple, Sequence

from .._common.command import CommandError, run

# Where Podman keeps its data until it is installed and can be asked (storage.conf of containers/storage).
DEFAULT_GRAPH_ROOT = "/var/lib/containers/storage"


class Image(NamedTuple):
    """An image in Podman's storage: ``id`` is the config digest without ``sha256:``, ``names`` are fully qualified
    with a tag, ``layers`` are the diff IDs (with ``sha256:``)."""

    id: str
    names: list[str]
    layers: list[str]


class Volume(NamedTuple):
    """A volume of Podman; ``options`` are those it was created with."""

    mountpoint: str
    labels: dict[str, str]
    options: dict[str, str]


class Storage(NamedTuple):
    """Podman's folders."""

    graph_root: str
    volume_root: str


def installed() -> bool:
    """Whether this host has Podman."""
    return shutil.which("podman") is not None


def storage() -> Storage:
    """Where Podman keeps images and volumes on this host."""
    store = _json(["podman", "info", "--format", "json"])["store"]
    return Storage(str(store["graphRoot"]), str(store["volumePath"]))


def images() -> list[Image]:
    """All images in Podman's storage, untagged ones included."""
    ids = sorted(set(run(["podman", "images", "--all", "--quiet", "--no-trunc"]).stdout.split()))
    if not ids:
        return []
    return [_image(found) for found in _json(["podman", "image", "inspect", *ids])]


def _image(found: Any) -> Image:
    layers = found.get("RootFS", {}).get("Layers") or []
    return Image(str(found["Id"]), list(found.get("RepoTags") or []), list(layers))


def image(reference: str) -> Image | None:
    """The image of that name or ID, None when there is none."""
    if run(["podman", "image", "exists", reference], check=False).rc != 0:
        return None
    return _image(_json(["podman", "image", "inspect", reference])[0])


def image_config(image: str) -> Any:
    """The config of an image (ID), as it lies in the storage."""
    return _json(["skopeo", "inspect", "--config", "--raw", "containers-storage:@{0}".format(image)])


def is_whole(image: str) -> bool:
    """Whether an image can be read to its end: storage keeps a checksum of every file of its layers."""
    return run(["podman", "save", "--quiet", "--output=/dev/null", image], check=False).rc == 0


def remove_image(image: str) -> None:
    """Remove an image with all its names. One that a container uses is an error."""
    run(["podman", "rmi", image])


def tag(reference: str, name: str) -> None:
    """Give an image one more name, which another image may lose by it."""
    run(["podman", "tag", reference, name])


def untag(reference: str, name: str) -> None:
    """Take one name off an image."""
    run(["podman", "untag", reference, name])


def volumes() -> dict[str, Volume]:
    """Podman's volumes by name."""
    return {
        str(found["Name"]): Volume(
            str(found["Mountpoint"]),
            dict(found.get("Labels") or {}),
            # Podman adds what it read out of the option `o`, in capitals: UID, GID, SIZE.
            {key: value for key, value in (found.get("Options") or {}).items() if not key.isupper()},
        )
        for found in _json(["podman", "volume", "ls", "--format", "json"])
    }


def create_volume(name: str, labels: dict[str, str], options: dict[str, str]) -> None:
    """Create a volume; one that exists is an error."""
    described = ["--label={0}={1}".format(*pair) for pair in sorted(labels.items())]
    described += ["--opt={0}={1}".format(*pair) for pair in sorted(options.items())]
    run(["podman", "volume", "create", *described, name])


def running_on(volume_names: Iterable[str]) -> list[str]:
    """The names of Podman's running containers that use one of these volumes."""
    filters = ["--filter=volume={0}".format(name) for name in sorted(volume_names)]
    return run(["podman", "ps", "--format", "{{.Names}}", *filters]).stdout.split() if filters else []


def _json(argv: Sequence[str]) -> Any:
    answer = run(argv).stdout
    try:
        return json.loads(answer)
    except ValueError:
        raise CommandError("'{0}' did not answer with JSON.".format(" ".join(argv[:3]))) from None
