# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where skopeo reads Docker's images from (private to the collection).

With a graph driver only dockerd can put an image together again. It writes many into one archive, each layer once
(image/tarexport of moby), so images that share layers are asked for together. containerd's store is read as it is.
"""

from __future__ import annotations

import json
import posixpath
import tarfile
from pathlib import Path
from typing import Iterable, Mapping, NamedTuple, Sequence

from .._common.errors import named
from .._docker import content_store
from .._docker.api import Docker

_ARCHIVE = "images.tar"
_MANIFEST = "manifest.json"


class SourceError(Exception):
    """Docker did not hand out an image as it should. The message says which and what to do."""


class Source(NamedTuple):
    """What ``skopeo copy`` is told: its options, and the name of the source."""

    options: tuple[str, ...]
    name: str


def save(docker: Docker, images: Sequence[str], folder: Path) -> dict[str, Source]:
    """Have Docker write these images (IDs) into an archive in ``folder``.

    Raises DockerError, SourceError, OSError.
    """
    archive = folder / _ARCHIVE
    with named(archive), archive.open("wb") as stream:
        for chunk in docker.download("/images/get", names=images):
            stream.write(chunk)
    places = _places(archive)
    lost = [image for image in images if image not in places]
    if lost:
        raise SourceError("Docker did not save the image {0}; see its log (journalctl -u docker).".format(lost[0]))
    return {image: Source((), "docker-archive:{0}:@{1}".format(archive, places[image])) for image in images}


def _places(archive: Path) -> dict[str, int]:
    """Where in the archive each image is: its config is named for its digest."""
    try:
        with tarfile.open(str(archive)) as tar:
            links = {item.name: _target(item) for item in tar if item.issym()}
            place = tar.getmember(_MANIFEST)
            member = tar.extractfile(place)
            manifest = member.read() if member else b"[]"
        if links:
            _name_layers(archive, place, manifest, links)
        listed = json.loads(manifest)
        return {"sha256:" + Path(item["Config"]).name.split(".")[0]: at for at, item in enumerate(listed)}
    except (tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise SourceError("Docker's archive of images cannot be read: {0}.".format(error)) from None


def _target(link: tarfile.TarInfo) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(link.name), link.linkname))


def _name_layers(archive: Path, place: tarfile.TarInfo, manifest: bytes, links: Mapping[str, str]) -> None:
    """Name each layer in the manifest of an archive by the file it is.

    Up to Docker 24 the second image with a layer has a link to it, whose size skopeo takes for that of the layer
    (containers/container-libs, pull request 605). Both names are as long.
    """
    changed = manifest
    for link, target in links.items():
        changed = changed.replace(json.dumps(link).encode(), json.dumps(target).encode())
    if len(changed) != len(manifest):
        raise ValueError("a layer is a link to a name of another length")
    with named(archive), archive.open("r+b") as stream:
        stream.seek(place.offset_data)
        stream.write(changed)


def is_stored(data_root: str, image: str) -> bool:
    """Whether this image (ID) lies in containerd's store."""
    return content_store.find(data_root, image) is not None


def stored(data_root: str, images: Iterable[str], folder: Path) -> dict[str, Source]:
    """Those of these images that lie in containerd's store. Each gets a folder as skopeo's transport ``dir:`` has them,
    of links to where the data lies."""
    found = {}
    for image in images:
        place = content_store.find(data_root, image)
        if place:
            blobs, manifest = place
            layout = folder / image.split(":")[-1]
            layout.mkdir()
            with named(layout):
                (layout / "version").write_text("Directory Transport Version: 1.1\n")
                (layout / "manifest.json").write_text(json.dumps(manifest.document))
            for digest in {manifest.config_digest, *(layer["digest"] for layer in manifest.document["layers"])}:
                (layout / digest.split(":")[1]).symlink_to(content_store.blob(blobs, digest))
            found[image] = Source((), "dir:{0}".format(layout))
    return found
