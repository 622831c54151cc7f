# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's images where containerd keeps them: files named by their digests, there while dockerd is stopped as well
(private to the collection)."""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import Any, NamedTuple

_CONTENT = "io.containerd.content.v1.content/blobs"
# Where the host's containerd keeps its data unless this file names another folder (containerd-config.toml(5), root).
_HOSTS_OWN = "/var/lib/containerd"
_CONFIG = "/etc/containerd/config.toml"
# Before the first table: "root" of a plugin is another thing.
_ROOT = re.compile(r"""^[ \t]*root[ \t]*=[ \t]*(["'])(/[^"'\n]*)\1""", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
# What Docker says of its storage driver then (moby daemon/containerd/service.go).
_SNAPSHOTTER = "io.containerd.snapshotter.v1"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
# Far above any manifest (containerd's own limit is 8 MiB): what is larger is not read.
_MANIFEST_BYTES = 8 * 1024 * 1024
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
# What Python calls the processor, and what images call it.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}


class Manifest(NamedTuple):
    """What an image of one platform is made of: the digest of its config, and a manifest of Docker's kind."""

    config_digest: str
    document: dict[str, Any]


def roots(data_root: str) -> list[str]:
    """The folders of containerds that may be Docker's, likeliest first: of one that dockerd runs itself (moby cmd/dockerd,
    initContainerd), and of the host's."""
    try:
        text = Path(_CONFIG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = _ROOT.search(_TABLE.split(text)[0])
    return [os.path.join(data_root, "containerd", "daemon"), named.group(2) if named else _HOSTS_OWN]


def is_in_use(info: dict[str, Any]) -> bool:
    """Whether Docker keeps its images there, by its GET /info."""
    return any(_SNAPSHOTTER in (pair or []) for pair in info.get("DriverStatus") or [])


def missing(data_root: str) -> str:
    """What to say of an image that is not found."""
    return (
        "it is complete neither in {0} nor in {1}; if containerd's root is another folder, name it in {2} (root = "
        '"/folder") and run the role assess again'
    ).format(*roots(data_root), _CONFIG)


def find(data_root: str, image: str) -> tuple[str, Manifest] | None:
    """The folder of blobs that holds an image (its ID is the digest of a manifest or index), and the manifest that
    this host runs: an index may name many platforms of which few are here. None when there is none."""
    for folder in (os.path.join(root, _CONTENT) for root in roots(data_root)):
        manifest = _manifest(folder, image)
        if manifest:
            return folder, manifest
    return None


def _manifest(folder: str, digest: str, nested: bool = False) -> Manifest | None:
    document = _read(folder, digest)
    if "config" in document:
        config, layers = document["config"] or {}, document.get("layers") or []
        if not all(_is_here(folder, str(item.get("digest"))) for item in [config, *layers]):
            return None
        return Manifest(str(config["digest"]), _dockers(folder, config, layers))
    listed = [item for item in document.get("manifests") or [] if _is_image(item) and not nested]
    ours = _ARCHITECTURES.get(platform.machine(), platform.machine())
    listed.sort(key=lambda item: (item.get("platform") or {}).get("architecture") != ours)
    for item in listed:
        found = _manifest(folder, str(item.get("digest")), nested=True)
        if found:
            return found
    return None


def _dockers(folder: str, config: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
    """The manifest as Docker's registries have it.

    HEALTHCHECK is no part of OCI's, so Podman ignores it there; and Docker's old builder mixes both kinds, which skopeo
    does not convert.
    """

    def part(item: dict[str, Any], media_type: str) -> dict[str, Any]:
        size = blob(folder, item["digest"]).stat().st_size
        return {"mediaType": media_type, "size": size, "digest": item["digest"]}

    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": part(config, "application/vnd.docker.container.image.v1+json"),
        "layers": [part(layer, _LAYER + _compression(str(layer.get("mediaType")))) for layer in layers],
    }


def _compression(media_type: str) -> str:
    for name in ("gzip", "zstd"):
        if media_type.endswith(name):
            return "." + name
    return ""


def _is_image(item: dict[str, Any]) -> bool:
    """Attestations are listed beside the images, for a platform that nobody has."""
    return (item.get("platform") or {}).get("os") not in ("unknown", "windows")


def _is_here(folder: str, digest: str) -> bool:
    return bool(_DIGEST.match(digest)) and blob(folder, digest).is_file()


def blob(folder: str, digest: str) -> Path:
    """The file of a digest."""
    return Path(folder, "sha256", digest.split(":")[1])


def _read(folder: str, digest: str) -> dict[str, Any]:
    if not _is_here(folder, digest) or blob(folder, digest).stat().st_size > _MANIFEST_BYTES:
        return {}
    try:
        document = json.loads(blob(folder, digest).read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
