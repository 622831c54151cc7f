# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images were brought and have reached the disk (private to the collection).

Podman's storage does not wait for the disk, so after a power cut it can list an image whose files are empty. What is not
known to have come in this boot of the host, and to have reached the disk, is read once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterable

from .._common.command import run
from .._podman import storage
from .._state.records import FORMAT, boot_id, read_json, write_json

_AT_ONCE = 3


class ImageRecord:
    """The file that says which images (Podman's IDs) were whole, and in which boot of the host."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known = read_json(path) if path.exists() else {}
        self._whole: set[str] = set(known.get("images", []))
        if known.get("boot") != boot_id():
            self._whole.clear()

    def damaged(self, images: Iterable[str]) -> tuple[list[str], bool]:
        """Those of these images that are not whole, and whether any had to be read: all that are not in the record."""
        doubtful = sorted(set(images).difference(self._whole, [""]))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            torn = [image for image, whole in zip(doubtful, pool.map(storage.is_whole, doubtful)) if not whole]
        return torn, bool(doubtful)

    def add(self, images: Iterable[str]) -> None:
        """Note images that are whole now, when the disk has them."""
        run(["sync", "--file-system", storage.storage().graph_root])
        self._whole.update(images)
        write_json(self._path, {"format": FORMAT, "boot": boot_id(), "images": sorted(self._whole)})
