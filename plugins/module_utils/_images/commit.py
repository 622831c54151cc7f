# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of containers: their own image, and what was written into them as one more layer (private to the collection).

Not by Docker's commit: that writes the container's environment into the image, secrets too, and its whole image would
have to be copied while the application is down. The config stays that of the image, which is what units are made against.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from .._common import disk_space
from .._common.command import run
from .._common.json import Json
from .._podman import storage
from .._state.records import short_name
from .._trees import layer_archive, overlay_layers
from .._trees.mount_namespace import Source, confined
from .._trees.walk import GONE
from .selection import ImageError

_SCRATCH = "/var/tmp"
_PREFIX = "docker_to_podman-commit-"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def require(plan: Json, workload: Json) -> None:
    """Refuse what could not be made once the containers are down. Reads only. Raises ImageError, TreeError."""
    for commit in workload.get("commits", ()):
        what = "The image of container {0}".format(commit["container"])
        overlay_layers.require(what, commit["layers"], plan["engine"]["data_root"])
        upper = commit["layers"][0]
        try:
            with confined([Source(upper)]) as within:
                size = within.run(_size, upper)
        except layer_archive.LayerError as error:
            raise ImageError("{0} cannot be made: {1}. Nothing was changed.".format(what, error)) from None
        # The archive, and skopeo's copy of it.
        places = [disk_space.place(_SCRATCH, 2 * size), disk_space.place(storage.storage().graph_root, size)]
        complaint = disk_space.short(what, places, "make room")
        if complaint:
            raise ImageError(complaint + " Nothing was changed.")


def _size(upper: str) -> int:
    try:
        return sum(entry.status.st_size for entry in layer_archive.entries(upper) if stat.S_ISREG(entry.status.st_mode))
    except OSError as error:
        if error.errno not in GONE:
            raise
        # The container changed something meanwhile; then nobody knows.
        return 0


def make(record: Json) -> None:
    """Bring the images of a workload's stopped containers into Podman's storage. Raises ImageError, CommandError."""
    # Another workload may be on its way at the same time.
    prefix = "{0}{1}-".format(_PREFIX, short_name(record["workload"]))
    # What a killed run left.
    for left in Path(_SCRATCH).glob(prefix + "*"):
        shutil.rmtree(str(left), ignore_errors=True)
    for commit in record.get("commits", ()):
        with tempfile.TemporaryDirectory(prefix=prefix, dir=_SCRATCH) as folder:
            _make(commit, Path(folder))
    if record.get("commits"):
        # Podman's storage does not wait for the disk.
        run(["sync", "--file-system", storage.storage().graph_root])


def _make(commit: Json, folder: Path) -> None:
    what = "The image of container {0}".format(commit["container"])
    image, earlier = storage.image(commit["image"]), storage.image(commit["name"])
    if image is None:
        raise ImageError("{0} cannot be made: Podman has no image {1}.".format(what, commit["image"]))
    base = storage.image_config(image.id)
    try:
        digest, size = _layer(commit["layers"][0], folder)
    except (layer_archive.LayerError, OSError) as error:
        raise ImageError("{0} cannot be made: {1}.".format(what, error)) from None
    below = image.layers
    config = {**base, "rootfs": {**base["rootfs"], "diff_ids": [*below, digest]}}
    if base.get("history"):
        config["history"] = [*base["history"], {"created_by": "docker_to_podman: written into the container"}]
    config_digest, config_size = _blob(folder, config)
    # skopeo finds the layers below in Podman's storage by their digests, and does not ask for their contents.
    layers = [*({"mediaType": _LAYER, "size": 1, "digest": item} for item in below),
              {"mediaType": _LAYER, "size": size, "digest": digest}]  # fmt: skip
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "size": config_size, "digest": config_digest},
        "layers": layers,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "version").write_text("Directory Transport Version: 1.1\n", encoding="ascii")
    destination = "containers-storage:" + commit["name"]
    run(["skopeo", "copy", "--quiet", "dir:{0}".format(folder), destination], env={"TMPDIR": str(folder)})
    made = storage.image(commit["name"])
    if made is None or ("sha256:" + made.id, made.layers) != (config_digest, [*below, digest]):
        raise ImageError("{0} arrived as another one.".format(what))
    if earlier and earlier.id != made.id:
        storage.remove_image(earlier.id)


def _layer(upper: str, folder: Path) -> tuple[str, int]:
    """Digest and bytes of the archive, which is written to ``folder`` under its digest."""
    path = folder / "layer"
    with path.open("wb") as stream:
        hashed = _Hashed(stream)
        with confined([Source(upper)]) as within:
            within.run(layer_archive.write, upper, hashed)
    os.rename(str(path), str(folder / hashed.digest))
    return "sha256:" + hashed.digest, hashed.size


def _blob(folder: Path, document: Json) -> tuple[str, int]:
    content = json.dumps(document, sort_keys=True).encode()
    digest = hashlib.sha256(content).hexdigest()
    (folder / digest).write_bytes(content)
    return "sha256:" + digest, len(content)


class _Hashed:
    """A stream that knows the digest and the size of what was written to it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._stream.write(data)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
