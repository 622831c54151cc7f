# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of images under way, by skopeo (private to the collection)."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

from .._common.command import Completed, run
from .._podman import storage
from .selection import Image, ImageError, find, title
from .source import Source


class Copies:
    """Copies under way, a fixed number at a time, and the results of those that are ``done`` (by ID).
    ``count`` gets the bytes of each."""

    def __init__(
        self, pool: ThreadPoolExecutor, folder: Path, awaited: Mapping[str, list[str]], count: Callable[[int], None]
    ) -> None:
        self.folder = folder
        self.done: dict[str, dict[str, Any]] = {}
        self._pool = pool
        self._awaited = awaited
        self._count = count
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
                if find(image, storage.images())[0]:
                    return self._name(image, "pulled", began)
                storage.untag(_arrival(image), _arrival(image))
        return None

    def _name(self, image: Image, action: str, began: float) -> dict[str, Any]:
        for name in image.names[1:]:
            storage.tag(_arrival(image), name)
        if not image.names:
            storage.untag(_arrival(image), _arrival(image))
        self._count(image.size)
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


def result(image: Image, action: str, seconds: float = 0.0) -> dict[str, Any]:
    return {"source_id": image.source_id, "names": list(image.names), "action": action, "seconds": round(seconds, 2)}
