# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be there before images are copied: Docker, and room (private to the collection)."""

from __future__ import annotations

import os
from typing import NamedTuple, Sequence

from .._common import disk_space
from .._docker import content_store
from .._docker.api import Docker, DockerError
from .._podman import storage
from . import source as sources
from .selection import Image, ImageError, batches, title

# Storage unpacks one layer at a time (facts, section 3); a third copy reads meanwhile.
PARALLEL = 3
# The API that tells the size of all layers without measuring the volumes too (GET /system/df, type).
_SIZE_OF_LAYERS = (1, 42)
_PATIENCE = 900


class Way(NamedTuple):
    """How the images of an engine are brought: ``source`` is ``docker`` or ``registry``, ``tmpdir`` holds the copies
    under way."""

    docker: Docker
    retired: bool
    data_root: str
    tmpdir: str
    source: str


def require(missing: Sequence[Image], way: Way) -> None:
    """Raise ImageError unless Docker can hand the images out, and the copies have room."""
    if not os.path.isdir(way.tmpdir) or ":" in way.tmpdir:
        raise ImageError(
            "The folder for temporary files {0} does not exist or has a colon in its name; name another.".format(
                way.tmpdir
            )
        )
    to_save = [image for image in missing if not sources.is_stored(way.data_root, image.source_id)]
    if to_save and way.retired:
        raise ImageError(
            "Podman lacks the image {0} and Docker is retired; bring it back with podman load.".format(
                title(to_save[0])
            )
        )
    layers = None
    if to_save:
        _require_archives(to_save[0], way)
        layers = _layers(way.docker, to_save[0])
    complaint = disk_space.short(
        "Copying the images",
        _places(missing, to_save, layers, way),
        "make room, or name another folder for temporary files",
    )
    if complaint:
        raise ImageError(complaint)


def _require_archives(image: Image, way: Way) -> None:
    """ImageError when Docker has its images in containerd's store: its archives do not say which image is which there."""
    try:
        info = way.docker.get("/info", timeout=_PATIENCE)
    except DockerError as error:
        raise ImageError("The image {0} cannot be copied: {1}".format(title(image), error)) from None
    if content_store.is_in_use(info):
        raise ImageError(
            "The image {0} cannot be copied from containerd's store: {1}. Nothing was copied.".format(
                title(image), content_store.missing(way.data_root)
            )
        )


def _layers(docker: Docker, image: Image) -> int | None:
    """Bytes of all layers Docker has, each counted once; None when this version would measure its volumes for it."""
    try:
        if tuple(map(int, docker.api_version.split("."))) < _SIZE_OF_LAYERS:
            return None
        usage = docker.get("/system/df", timeout=_PATIENCE, type="image")
    except DockerError as error:
        raise ImageError("The image {0} cannot be copied: {1}".format(title(image), error)) from None
    total = usage.get("LayersSize") or (usage.get("ImageUsage") or {}).get("TotalSize")
    return int(total) if total else None


def _places(missing: Sequence[Image], to_save: Sequence[Image], layers: int | None, way: Way) -> list[disk_space.Place]:
    """Room for the copies, for two archives and the layers under way, and for Docker's own copy of an archive.

    Docker below 29 writes an export to its data root before it hands it out (facts, section 3).
    """
    archives = sorted((_size(batch, layers) for batch in batches(to_save)), reverse=True)
    under_way = sum(sorted((image.size for image in missing), reverse=True)[:PARALLEL])
    store = storage.storage().graph_root if storage.installed() else storage.DEFAULT_GRAPH_ROOT
    return [
        disk_space.place(store, _size(missing, layers)),
        disk_space.place(way.tmpdir, sum(archives[:2]) + min(under_way, _size(missing, layers))),
        disk_space.place(way.data_root, archives[0] if archives else 0),
    ]


def _size(images: Sequence[Image], layers: int | None) -> int:
    """Bytes of images together: at most each for itself, and at most all layers there are."""
    total = sum(image.size for image in images)
    return total if layers is None else min(total, layers)
