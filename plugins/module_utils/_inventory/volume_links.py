# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that are reached through a link below Docker's data root (private to the collection)."""

from __future__ import annotations

import os
from typing import Iterable

from .._common.json import Json, text


def look(volumes: Iterable[Json], data_root: str) -> Json:
    """``{folder of a volume: {link, real}}``: the first link on the way from the data root, and where that leads.

    The data root itself may be a link.
    """
    folders = (text(volume.get("Mountpoint")) for volume in volumes)
    found = {folder: _link(folder, data_root) for folder in folders if folder.startswith(data_root + "/")}
    return {folder: {"link": link, "real": os.path.realpath(link)} for folder, link in sorted(found.items()) if link}


def _link(folder: str, data_root: str) -> str:
    place = data_root
    for part in os.path.relpath(folder, data_root).split("/"):
        place = os.path.join(place, part)
        if os.path.islink(place):
            return place
    return ""
