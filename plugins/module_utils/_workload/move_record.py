# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a move, made before it begins. Every step and its undo go by it (private to the collection)."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

from .._common.json import Json
from .._volumes.rounds import Trees

RECORD = "record"


def trees(record: Json) -> list[Trees]:
    """The volumes of a record. Those of earlier programs had more keys, or fewer."""
    known = [{key: value for key, value in volume.items() if key in Trees._fields} for volume in record["volumes"]]
    return [
        item._replace(memory=Path(item.memory) if item.memory else None, layers=tuple(item.layers))
        for item in (Trees(**volume) for volume in known)
    ]


def running(containers: Iterable[Json]) -> list[Json]:
    """Those that ran under Docker when the record was made."""
    return [container for container in containers if container["running"]]
