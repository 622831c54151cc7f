# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of Docker's images Podman has and which it lacks, and in what order they come (private to the collection)."""

from __future__ import annotations

import re
from typing import Any, Iterable, NamedTuple, Sequence

from .._common.errors import UserError
from .._podman import storage

_ID = re.compile(r"sha256:[0-9a-f]{64}\Z")
# Registry host, path, tag: fully qualified, so that nothing takes it for an option or looks it up elsewhere.
_REPOSITORY = (
    r"(?=localhost[/:]|[^/]*[.:])(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:]+\])(?::[0-9]+)?/[a-z0-9][a-z0-9._/-]*"
)
_NAME = re.compile(_REPOSITORY + r":\w[\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(_REPOSITORY + r"@sha256:[0-9a-f]{64}\Z", re.ASCII)


class ImageError(UserError):
    """An image cannot be transferred. The message names it and says what to do."""


class Image(NamedTuple):
    """An image of Docker's that a plan needs; ``size`` in bytes, ``config_digest`` empty when it is not known.

    ``digests`` are the names under which registries had it: ``docker.io/library/redis@sha256:...``.
    """

    source_id: str
    names: tuple[str, ...]
    config_digest: str
    diff_ids: tuple[str, ...]
    size: int
    digests: tuple[str, ...] = ()


def needed(workloads: Iterable[dict[str, Any]]) -> list[Image]:
    """The images of these workloads, each once with all its names, those with the fewest layers first."""
    found: dict[str, Image] = {}
    for entry in (entry for workload in workloads for entry in workload["images"]):
        image = Image(
            entry["source_id"],
            tuple(entry["names"]),
            entry.get("config_digest") or "",
            tuple(entry.get("diff_ids") or ()),
            int(entry.get("size") or 0),
            tuple(entry.get("digests") or ()),
        )
        if not _ID.match(image.source_id):
            raise ImageError("{0!r} is not the ID of an image; run the role assess again.".format(image.source_id))
        for name in image.names:
            if not _NAME.match(name):
                raise ImageError("{0!r} is not a fully qualified image name; nothing was copied.".format(name))
        for name in image.digests:
            if not _DIGEST.match(name):
                raise ImageError("{0!r} is not the digest of an image; nothing was copied.".format(name))
        known = found.get(image.source_id, image)
        found[image.source_id] = image._replace(names=tuple(dict.fromkeys(known.names + image.names)))
    return sorted(found.values(), key=lambda image: (len(image.diff_ids), image.source_id))


def same(image: Image, held: storage.Image) -> bool:
    """Whether Podman's image is Docker's.

    Podman's ID is the config digest. Docker's ID is the same with a graph driver, but the digest of a manifest with the
    containerd store: when the plan does not know the config digest, equal layers under a common name decide (images
    that differ in their config alone have equal layers).
    """
    if image.config_digest:
        return image.config_digest == "sha256:" + held.id
    if image.source_id == "sha256:" + held.id:
        return True
    named = not image.names or bool(set(image.names).intersection(held.names))
    return named and bool(image.diff_ids) and list(image.diff_ids) == held.layers


def find(image: Image, held: list[storage.Image]) -> tuple[str, list[str]]:
    """Podman's ID of this image (empty when it has none) and the names it lacks there."""
    matching = [item for item in held if same(image, item)]
    matching.sort(key=lambda item: -len(set(item.names).intersection(image.names)))
    if not matching:
        return "", list(image.names)
    return matching[0].id, [name for name in image.names if name not in matching[0].names]


def batches(images: Sequence[Image]) -> list[list[Image]]:
    """The images in groups that have no layer in common: Docker writes each group once."""
    found: list[tuple[set[str], list[Image]]] = []
    for image in images:
        layers, group = set(image.diff_ids), [image]
        for other in [item for item in found if item[0] & layers]:
            found.remove(other)
            layers |= other[0]
            group = other[1] + group
        found.append((layers, sorted(group, key=images.index)))
    return [group for _layers, group in found]


def carriers(images: Sequence[Image]) -> dict[str, list[str]]:
    """For each image (ID) those that must be there first, because they bring a layer that it has too.

    Copies that run at once would else bring it twice. A layer is another one upon other layers.
    """
    first: dict[tuple[str, ...], str] = {}
    awaited = {}
    for image in images:
        chains = [image.diff_ids[:depth] for depth in range(1, len(image.diff_ids) + 1)]
        owners = [first.setdefault(chain, image.source_id) for chain in chains]
        awaited[image.source_id] = [owner for owner in dict.fromkeys(owners) if owner != image.source_id]
    return awaited


def title(image: Image) -> str:
    """What a message calls it."""
    return image.names[0] if image.names else image.source_id
