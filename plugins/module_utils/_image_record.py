# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images were brought and have reached the disk (private to the collection).

Podman's storage does not wait for the disk, so after a power cut it can list an image whose files are empty. What was
brought before the host started anew is read once more.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterable

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import (
    FORMAT,
    boot_id,
    read_json,
    write_json,
)

_AT_ONCE = 3


class ImageRecord:
    """The file that says which images (Podman's IDs) were whole, and in which boot of the host."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known = read_json(path) if path.exists() else {}
        self._whole: set[str] = set(known.get("images", []))
        self.is_old = bool(known) and known["boot"] != boot_id()

    def damaged(self, images: Iterable[str]) -> list[str]:
        """Those of these images that were brought in an earlier boot and are not whole any more."""
        if not self.is_old:
            return []
        doubtful = sorted(self._whole.intersection(images))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            torn = [image for image, whole in zip(doubtful, pool.map(podman.is_whole, doubtful)) if not whole]
        self._whole = set(doubtful).difference(torn)
        return torn

    def add(self, images: Iterable[str]) -> None:
        """Note images that are whole now, when the disk has them."""
        run(["sync", "--file-system", podman.storage().graph_root])
        self._whole.update(images)
        write_json(self._path, {"format": FORMAT, "boot": boot_id(), "images": sorted(self._whole)})
