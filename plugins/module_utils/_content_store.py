# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's images where containerd keeps them: files named by their digests (private to the collection).

The folder is laid out as OCI image layouts have it, so skopeo reads it as it is, also while dockerd is stopped.
"""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import Any, NamedTuple

_CONTENT = "io.containerd.content.v1.content/blobs"
# Where dockerd uses the host's containerd, and where it runs one of its own (moby cmd/dockerd, initContainerd).
_HOSTS_OWN = "/var/lib/containerd"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
# Far above any manifest (containerd's own limit is 8 MiB): what is larger is not read.
_MANIFEST_BYTES = 8 * 1024 * 1024
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# What Python calls the processor, and what images call it.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}


class Manifest(NamedTuple):
    """The manifest of one platform: its digest, media type, size in bytes, and the digest of the image's config."""

    digest: str
    media_type: str
    size: int
    config_digest: str


def folders(data_root: str) -> list[str]:
    """The folders of blobs on this host that may be Docker's, likeliest first."""
    found = (os.path.join(root, _CONTENT) for root in (os.path.join(data_root, "containerd", "daemon"), _HOSTS_OWN))
    return [folder for folder in found if os.path.isdir(folder)]


def find(data_root: str, image: str) -> tuple[str, Manifest] | None:
    """The folder of blobs that holds an image (its ID is the digest of a manifest or index), and the manifest that
    this host runs: an index may name many platforms of which few are here. None when there is none."""
    for folder in folders(data_root):
        manifest = _manifest(folder, image)
        if manifest:
            return folder, manifest
    return None


def _manifest(folder: str, digest: str, nested: bool = False) -> Manifest | None:
    document = _read(folder, digest)
    if "config" in document:
        config = str((document["config"] or {}).get("digest"))
        if not _is_here(folder, config):
            return None
        size = _path(folder, digest).stat().st_size
        return Manifest(digest, str(document.get("mediaType") or _OCI_MANIFEST), size, config)
    listed = [item for item in document.get("manifests") or [] if _is_image(item) and not nested]
    ours = _ARCHITECTURES.get(platform.machine(), platform.machine())
    listed.sort(key=lambda item: (item.get("platform") or {}).get("architecture") != ours)
    for item in listed:
        found = _manifest(folder, str(item.get("digest")), nested=True)
        if found:
            return found
    return None


def _is_image(item: dict[str, Any]) -> bool:
    """Attestations are listed beside the images, for a platform that nobody has."""
    return (item.get("platform") or {}).get("os") not in ("unknown", "windows")


def _is_here(folder: str, digest: str) -> bool:
    return bool(_DIGEST.match(digest)) and _path(folder, digest).is_file()


def _path(folder: str, digest: str) -> Path:
    return Path(folder, "sha256", digest.split(":")[1])


def _read(folder: str, digest: str) -> dict[str, Any]:
    if not _is_here(folder, digest) or _path(folder, digest).stat().st_size > _MANIFEST_BYTES:
        return {}
    try:
        document = json.loads(_path(folder, digest).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
