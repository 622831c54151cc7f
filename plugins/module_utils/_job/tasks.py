# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The long work of this collection, by name: from the arguments of a module to its result (private to the collection)."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Callable, Dict

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import (
    _moves,
    _signals,
    _staging,
    _volume_copies,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import Docker
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._image_copies import transfer
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._image_record import ImageRecord
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._image_room import Way
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._progress import Progress
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volume_copies import Patience

Json = Dict[str, Any]


def images(given: Json, check: bool, progress: Progress) -> Json:
    """``image_transfer``."""
    plan, engine = _staging.load(given["plan_path"], given["state_dir"])
    way = Way(Docker(given["socket"]), engine.retired, plan["engine"]["data_root"], given["tmpdir"], given["source"])
    brought = transfer(
        _staging.owners(plan, engine), way, ImageRecord(engine.root / "images.json"), progress, check=check
    )
    return {"changed": any(item["action"] not in ("present", "skipped") for item in brought), "images": brought}


def volumes(given: Json, check: bool, progress: Progress) -> Json:
    """``volume_transfer``."""
    plan, engine = _staging.load(given["plan_path"], given["state_dir"])
    patience = Patience(given["max_downtime"], given["when_longer"], given["wait_for"])
    # Or a cutover would commit a volume to Podman while it is still made equal to Docker's.
    with nullcontext() if check else _staging.locked(engine):
        owners = _staging.owners(plan, engine, given["workloads"])
        moved = _volume_copies.transfer(plan, engine, owners, patience, progress, check=check)
    return {"changed": any(item["action"] not in ("unchanged", "skipped") for item in moved), "volumes": moved}


def workloads(given: Json, check: bool, _progress: Progress) -> Json:
    """``workload``."""
    if not check:
        _signals.heed()
    return _moves.move(given, check)


WORK: dict[str, Callable[[Json, bool, Progress], Json]] = {"images": images, "volumes": volumes, "workloads": workloads}
