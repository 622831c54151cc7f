# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's images into Podman's storage (private to the collection)."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Sequence

from .._common.errors import sentence
from .._common.progress import Progress
from .._docker.api import DockerError
from .._podman import storage
from .._state.ownership import Ownership
from . import source
from .copier import Copies, result
from .selection import Image, ImageError, batches, carriers, find, needed, title
from .space import PARALLEL, Way, require
from .verified import ImageRecord

_PREFIX = "docker_to_podman-images-"


def transfer(
    owners: Ownership, way: Way, record: ImageRecord, progress: Progress, *, check: bool = False
) -> list[dict[str, Any]]:
    """Bring all images of Docker's workloads into Podman's storage.

    Images that only committed workloads use are skipped: Docker may be gone. Returns, for each image: source_id, names,
    action (present, tagged, copied, pulled, would-tag, would-copy, skipped), seconds. Raises ImageError, CommandError.
    """
    if not check:
        _sweep(way.tmpdir)
    images = needed(owners.docker)
    ids = {image.source_id for image in images}
    skipped = [image for image in needed(owners.podman) if image.source_id not in ids]
    held = storage.images() if storage.installed() or not check else []
    damaged, was_read = record.damaged(find(image, held)[0] for image in images)
    held = [item for item in held if item.id not in damaged]
    missing = [image for image in images if not find(image, held)[0]]
    if missing:
        require(missing, way)
    if check:
        done = [result(image, _foresee(image, held)) for image in images]
    else:
        for item in damaged:
            storage.remove_image(item)
        brought = _bring(missing, way, progress) if missing else {}
        done = [brought.get(image.source_id) or _complete(image, held) for image in images]
        if was_read or any(item["action"] != "present" for item in done):
            held = storage.images()
            _verify(images, held)
            record.add(find(image, held)[0] for image in images)
    return done + [result(image, "skipped") for image in skipped]


def _sweep(tmpdir: str) -> None:
    """Remove what a killed run left; there is never a second one on a host. Others may write there: only our folders."""
    for left in Path(tmpdir).glob(_PREFIX + "*"):
        found = left.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            shutil.rmtree(str(left), ignore_errors=True)


def _foresee(image: Image, held: list[storage.Image]) -> str:
    found, lacking = find(image, held)
    return "would-tag" if found and lacking else "present" if found else "would-copy"


def _complete(image: Image, held: list[storage.Image]) -> dict[str, Any]:
    """Give an image that Podman has the names it lacks."""
    began = time.monotonic()
    found, lacking = find(image, held)
    for name in lacking:
        storage.tag(found, name)
    return result(image, "tagged" if lacking else "present", time.monotonic() - began)


def _bring(missing: Sequence[Image], way: Way, progress: Progress) -> dict[str, dict[str, Any]]:
    count = progress.begin("images", sum(image.size for image in missing))
    count(0)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=way.tmpdir) as folder, ThreadPoolExecutor(PARALLEL) as pool:
        copies = Copies(pool, Path(folder), carriers(missing), count)
        try:
            if way.source == "registry":
                copies.pull(missing)
            _copy(copies, [image for image in missing if image.source_id not in copies.done], way)
        except (DockerError, source.SourceError) as error:
            raise ImageError("The images were not copied: {0}".format(error)) from None
        except OSError as error:
            raise ImageError("The images were not copied: {0}".format(sentence(error))) from None
        finally:
            copies.cancel()
    return copies.done


def _copy(copies: Copies, images: Sequence[Image], way: Way) -> None:
    stored = source.stored(way.data_root, [image.source_id for image in images], copies.folder)
    copies.start([image for image in images if image.source_id in stored], stored)
    before: list[Image] = []
    for number, batch in enumerate(batches([image for image in images if image.source_id not in stored])):
        # While one archive is copied the next one is written, and never a third.
        folder = copies.folder / str(number)
        folder.mkdir()
        saved = source.save(way.docker, [image.source_id for image in batch], folder)
        copies.wait(before)
        shutil.rmtree(str(copies.folder / str(number - 1)), ignore_errors=True)
        copies.start(batch, saved)
        before = batch
    copies.wait(images)


def _verify(images: Sequence[Image], held: list[storage.Image]) -> None:
    for image in images:
        found, lacking = find(image, held)
        if not found:
            arrived = [item.id for item in held if image.names and image.names[0] in item.names]
            arrival = "sha256:" + arrived[0] if arrived else "no such image"
            raise ImageError(
                "Docker's image {0} ({1}) arrived as another one: Podman has {2}.".format(
                    image.config_digest or image.source_id, title(image), arrival
                )
            )
        if lacking:
            raise ImageError("Podman did not keep the name {0} of image {1}.".format(lacking[0], found))
