# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's images into Podman's storage, by skopeo (private to the collection)."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _image_source as sources
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import Completed, run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._image_record import ImageRecord
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._image_room import PARALLEL, Way, require
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._image_source import Source
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import (
    Image,
    ImageError,
    batches,
    carriers,
    find,
    needed,
    title,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._progress import Progress
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._staging import Ownership

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
    held = podman.images() if podman.installed() or not check else []
    damaged, was_read = record.damaged(find(image, held)[0] for image in images)
    held = [item for item in held if item.id not in damaged]
    missing = [image for image in images if not find(image, held)[0]]
    if missing:
        require(missing, way)
    if check:
        done = [result(image, _foresee(image, held)) for image in images]
    else:
        for item in damaged:
            podman.remove_image(item)
        brought = _bring(missing, way, progress) if missing else {}
        done = [brought.get(image.source_id) or _complete(image, held) for image in images]
        if was_read or any(item["action"] != "present" for item in done):
            held = podman.images()
            _verify(images, held)
            record.add(find(image, held)[0] for image in images)
    return done + [result(image, "skipped") for image in skipped]


def _sweep(tmpdir: str) -> None:
    """Remove what a killed run left; there is never a second one on a host. Others may write there: only our folders."""
    for left in Path(tmpdir).glob(_PREFIX + "*"):
        found = left.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            shutil.rmtree(str(left), ignore_errors=True)


def _foresee(image: Image, held: list[podman.Image]) -> str:
    found, lacking = find(image, held)
    return "would-tag" if found and lacking else "present" if found else "would-copy"


def _complete(image: Image, held: list[podman.Image]) -> dict[str, Any]:
    """Give an image that Podman has the names it lacks."""
    began = time.monotonic()
    found, lacking = find(image, held)
    for name in lacking:
        podman.tag(found, name)
    return result(image, "tagged" if lacking else "present", time.monotonic() - began)


def _bring(missing: Sequence[Image], way: Way, progress: Progress) -> dict[str, dict[str, Any]]:
    progress.begin("images", sum(image.size for image in missing))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=way.tmpdir) as folder, ThreadPoolExecutor(PARALLEL) as pool:
        copies = _Copies(pool, Path(folder), carriers(missing), progress)
        try:
            if way.source == "registry":
                copies.pull(missing)
            _copy(copies, [image for image in missing if image.source_id not in copies.done], way)
        except (DockerError, sources.SourceError, OSError) as error:
            raise ImageError("The images were not copied: {0}".format(error)) from None
        finally:
            copies.cancel()
    return copies.done


def _copy(copies: _Copies, images: Sequence[Image], way: Way) -> None:
    stored = sources.stored(way.data_root, [image.source_id for image in images], copies.folder)
    copies.start([image for image in images if image.source_id in stored], stored)
    before: list[Image] = []
    for number, batch in enumerate(batches([image for image in images if image.source_id not in stored])):
        # While one archive is copied the next one is written, and never a third.
        folder = copies.folder / str(number)
        folder.mkdir()
        saved = sources.save(way.docker, [image.source_id for image in batch], folder)
        copies.wait(before)
        shutil.rmtree(str(copies.folder / str(number - 1)), ignore_errors=True)
        copies.start(batch, saved)
        before = batch
    copies.wait(images)


class _Copies:
    """Copies under way, a fixed number at a time, and the results of those that are ``done`` (by ID)."""

    def __init__(
        self, pool: ThreadPoolExecutor, folder: Path, awaited: Mapping[str, list[str]], progress: Progress
    ) -> None:
        self.folder = folder
        self.done: dict[str, dict[str, Any]] = {}
        self._pool = pool
        self._awaited = awaited
        self._progress = progress
        self._begun: dict[str, Future[dict[str, Any] | None]] = {}

    def start(self, images: Iterable[Image], found: Mapping[str, Source]) -> None:
        """Queue copies; those that wait for others come after them, so they never hold up the pool for good."""
        for image in images:
            self._begun[image.source_id] = self._pool.submit(self._from_docker, image, found[image.source_id])

    def pull(self, images: Sequence[Image]) -> None:
        """Fetch those images of which a registry still has the very same; the others remain."""
        for image in images:
            self._begun[image.source_id] = self._pool.submit(self._from_registry, image)
        self.wait(images)
        self._begun = {}

    def wait(self, images: Iterable[Image]) -> None:
        """Until these are done; raises what went wrong."""
        for image in images:
            if image.source_id not in self.done:
                result = self._begun[image.source_id].result()
                if result is not None:
                    self.done[image.source_id] = result

    def cancel(self) -> None:
        """Begin no more."""
        for copy in self._begun.values():
            copy.cancel()

    def _from_docker(self, image: Image, source: Source) -> dict[str, Any]:
        for other in self._awaited[image.source_id]:
            if other in self._begun:
                self._begun[other].result()
        began = time.monotonic()
        done = _skopeo(image, source, self.folder)
        if done.rc != 0:
            said = done.stderr.strip() or "skopeo ended with exit code {0}".format(done.rc)
            raise ImageError("The image {0} was not copied: {1}".format(title(image), said))
        return self._name(image, "copied", began)

    def _from_registry(self, image: Image) -> dict[str, Any] | None:
        began = time.monotonic()
        for digest in image.digests:
            if _skopeo(image, Source(("--format=v2s2",), "docker://" + digest), self.folder).rc == 0:
                if find(image, podman.images())[0]:
                    return self._name(image, "pulled", began)
                podman.untag(_arrival(image), _arrival(image))
        return None

    def _name(self, image: Image, action: str, began: float) -> dict[str, Any]:
        for name in image.names[1:]:
            podman.tag(_arrival(image), name)
        if not image.names:
            podman.untag(_arrival(image), _arrival(image))
        self._progress.add(image.size)
        return result(image, action, time.monotonic() - began)


def _arrival(image: Image) -> str:
    """What Podman knows an image by once it is copied. Untagged ones are named for the time of the copy: written as
    ``@ID``, storage takes our word for the ID instead of computing it."""
    return image.names[0] if image.names else "localhost/docker_to_podman:" + image.source_id[-64:]


def _skopeo(image: Image, source: Source, tmpdir: Path) -> Completed:
    destination = "containers-storage:" + _arrival(image)
    return run(
        ["skopeo", "copy", "--quiet", *source.options, source.name, destination],
        check=False,
        env={"TMPDIR": str(tmpdir)},
    )


def _verify(images: Sequence[Image], held: list[podman.Image]) -> None:
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


def result(image: Image, action: str, seconds: float = 0.0) -> dict[str, Any]:
    return {"source_id": image.source_id, "names": list(image.names), "action": action, "seconds": round(seconds, 2)}
