# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's images into Podman's storage, by skopeo (private to the collection)."""

from __future__ import annotations

import os
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterable, NamedTuple

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import CommandError, run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._staging import Ownership

PARALLEL = 2

_ID = re.compile(r"sha256:[0-9a-f]{64}\Z")
# Registry host, path, tag: fully qualified, so that nothing takes it for an option or looks it up elsewhere.
_NAME = re.compile(
    r"(?=localhost[/:]|[^/]*[.:])(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:]+\])(?::[0-9]+)?"
    r"/[a-z0-9][a-z0-9._/-]*:\w[\w.-]{0,127}\Z",
    re.ASCII,
)


class ImageError(Exception):
    """An image cannot be transferred. The message names it and says what to do."""


class Image(NamedTuple):
    """An image of Docker's that a plan needs; ``size`` in bytes, ``config_digest`` empty when it is not known."""

    source_id: str
    names: tuple[str, ...]
    config_digest: str
    diff_ids: tuple[str, ...]
    size: int


class Place(NamedTuple):
    """Room on one file system: bytes needed below ``folder``, bytes free, and which device it is."""

    folder: str
    need: int
    free: int
    device: int


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
        )
        if not _ID.match(image.source_id):
            raise ImageError("{0!r} is not the ID of an image; run the role assess again.".format(image.source_id))
        for name in image.names:
            if not _NAME.match(name):
                raise ImageError("{0!r} is not a fully qualified image name; nothing was copied.".format(name))
        known = found.get(image.source_id, image)
        found[image.source_id] = image._replace(names=tuple(dict.fromkeys(known.names + image.names)))
    return sorted(found.values(), key=lambda image: (len(image.diff_ids), image.source_id))


def same(image: Image, held: podman.Image) -> bool:
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


def find(image: Image, held: list[podman.Image]) -> tuple[str, list[str]]:
    """Podman's ID of this image (empty when it has none) and the names it lacks there."""
    matching = [item for item in held if same(image, item)]
    matching.sort(key=lambda item: -len(set(item.names).intersection(image.names)))
    if not matching:
        return "", list(image.names)
    return matching[0].id, [name for name in image.names if name not in matching[0].names]


def short(places: list[Place]) -> str:
    """The sentence about a file system without enough room, or nothing. Folders on one device share its room."""
    for device in dict.fromkeys(place.device for place in places):
        here = [place for place in places if place.device == device]
        need = sum(place.need for place in here)
        if need > here[0].free:
            return (
                "Copying the images needs {0} MB below {1}, but only {2} MB are free there; make room, or name another "
                "folder for temporary files.".format(
                    -(-need // 10**6), " and ".join(place.folder for place in here), here[0].free // 10**6
                )
            )
    return ""


def transfer(
    plan: dict[str, Any], owners: Ownership, *, socket: str, retired: bool, tmpdir: str, check: bool
) -> list[dict[str, Any]]:
    """Bring all images of Docker's workloads into Podman's storage, a fixed number at a time.

    Images that only committed workloads use are skipped: Docker may be gone. Returns, for each image: source_id, names,
    action (present, tagged, copied, would-tag, would-copy, skipped), seconds. Raises ImageError, CommandError.
    """
    images = needed(owners.docker)
    ids = {image.source_id for image in images}
    skipped = [image for image in needed(owners.podman) if image.source_id not in ids]
    held = podman.images() if podman.installed() or not check else []
    missing = [image for image in images if not find(image, held)[0]]
    if missing:
        _require_room(missing, plan["engine"]["data_root"], tmpdir, podman.installed())
    if check:
        done = [_result(image, _foresee(image, held)) for image in images]
    else:
        if missing:
            _require_docker(missing[0], socket, retired)
        done = _in_parallel(images, held, socket, tmpdir)
        if any(result["action"] != "present" for result in done):
            _verify(images, podman.images())
    return done + [_result(image, "skipped") for image in skipped]


def _foresee(image: Image, held: list[podman.Image]) -> str:
    found, lacking = find(image, held)
    return "would-tag" if found and lacking else "present" if found else "would-copy"


def _require_room(missing: list[Image], data_root: str, tmpdir: str, podman_installed: bool) -> None:
    """Raise ImageError unless Podman's storage, the temporary folder and Docker's own can take the copies.

    skopeo keeps Docker's archive and the unpacked layers of each image under way in the temporary folder, and Docker
    below 29 exports an image to its data root first.
    """
    if not os.path.isdir(tmpdir):
        raise ImageError("The folder for temporary files {0} does not exist; create it or name another.".format(tmpdir))
    under_way = sum(sorted(image.size for image in missing)[-PARALLEL:])
    store = podman.storage().graph_root if podman_installed else podman.DEFAULT_GRAPH_ROOT
    places = [_place(store, sum(image.size for image in missing)), _place(tmpdir, 2 * under_way)]
    docker = _place(data_root, under_way)
    # Docker has removed its export before skopeo unpacks, so it needs no room twice on a file system they share.
    complaint = short(places if docker.device in [place.device for place in places] else [*places, docker])
    if complaint:
        raise ImageError(complaint)


def _place(folder: str, need: int) -> Place:
    existing = Path(folder)
    while not existing.exists():
        existing = existing.parent
    space = os.statvfs(str(existing))
    return Place(folder, need, space.f_bavail * space.f_frsize, existing.stat().st_dev)


def _require_docker(image: Image, socket: str, retired: bool) -> None:
    title = _title(image)
    if retired:
        raise ImageError(
            "Podman lacks the image {0} and Docker is retired; bring it back with podman load.".format(title)
        )
    if not os.path.exists(socket):
        raise ImageError("The image {0} cannot be copied: {1} does not exist; start Docker.".format(title, socket))


def _in_parallel(images: list[Image], held: list[podman.Image], socket: str, tmpdir: str) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(PARALLEL) as pool:
        copies = [pool.submit(_bring, image, held, socket, tmpdir) for image in images]
        try:
            return [copy.result() for copy in copies]
        except BaseException:
            for copy in copies:
                copy.cancel()
            raise


def _bring(image: Image, held: list[podman.Image], socket: str, tmpdir: str) -> dict[str, Any]:
    began = time.monotonic()
    found, lacking = find(image, held)
    if not found:
        _copy(image, socket, tmpdir)
        found, lacking = _name(image), list(image.names[1:])
        action = "copied"
    else:
        action = "tagged" if lacking else "present"
    for name in lacking:
        podman.tag(found, name)
    if action == "copied" and not image.names:
        podman.untag(_name(image), _name(image))
    return _result(image, action, time.monotonic() - began)


def _name(image: Image) -> str:
    """What Podman knows an image by once it is copied. Untagged ones are named for the time of the copy: written as
    ``@ID``, storage takes our word for the ID instead of computing it."""
    return image.names[0] if image.names else "localhost/docker_to_podman:" + image.source_id[-64:]


def _copy(image: Image, socket: str, tmpdir: str) -> None:
    # By ID: Docker's tag may have moved on since the container was made.
    source, destination = "docker-daemon:" + image.source_id, "containers-storage:" + _name(image)
    with tempfile.TemporaryDirectory(prefix="docker_to_podman-", dir=tmpdir) as folder:
        options = ["--quiet", "--src-daemon-host=unix://" + socket]
        try:
            run(["skopeo", "copy", *options, source, destination], env={"TMPDIR": folder})
        except CommandError as error:
            raise ImageError("The image {0} was not copied: {1}".format(_title(image), error)) from None


def _verify(images: list[Image], held: list[podman.Image]) -> None:
    for image in images:
        found, lacking = find(image, held)
        if not found:
            arrived = [item.id for item in held if image.names and image.names[0] in item.names]
            arrival = "sha256:" + arrived[0] if arrived else "no such image"
            raise ImageError(
                "Docker's image {0} ({1}) arrived as another one: Podman has {2}.".format(
                    image.config_digest or image.source_id, _title(image), arrival
                )
            )
        if lacking:
            raise ImageError("Podman did not keep the name {0} of image {1}.".format(lacking[0], found))


def _title(image: Image) -> str:
    return image.names[0] if image.names else image.source_id


def _result(image: Image, action: str, seconds: float = 0.0) -> dict[str, Any]:
    return {
        "source_id": image.source_id,
        "names": list(image.names),
        "action": action,
        "seconds": round(seconds, 2),
    }
