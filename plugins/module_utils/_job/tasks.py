# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The long work of this collection, by name: from the arguments of a module to its result (private to the collection)."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Callable

from .._common import signals
from .._common.errors import UserError, message_of
from .._common.json import Json, mapping
from .._common.progress import Progress
from .._docker.api import Docker
from .._images.space import Way
from .._images.transfer import transfer
from .._images.verified import ImageRecord
from .._move import run
from .._plan import hidden, policy
from .._plan.masking import Masking
from .._state import ownership
from .._state.records import StateError, read_json
from .._volumes import transfer as volume_copies
from .._volumes.transfer import Patience


def images(given: Json, check: bool, progress: Progress) -> Json:
    """``image_transfer``."""
    plan, engine = ownership.load(given["plan_path"], given["state_dir"])
    way = Way(Docker(given["socket"]), engine.retired, plan["engine"]["data_root"], given["tmpdir"], given["source"])
    brought = transfer(
        ownership.owners(plan, engine), way, ImageRecord(engine.root / "images.json"), progress, check=check
    )
    return {"changed": any(item["action"] not in ("present", "skipped") for item in brought), "images": brought}


def volumes(given: Json, check: bool, progress: Progress) -> Json:
    """``volume_transfer``."""
    plan, engine = ownership.load(given["plan_path"], given["state_dir"])
    patience = Patience(given["max_downtime"], given["when_longer"], given["wait_for"])
    # Or a cutover would commit a volume to Podman while it is still made equal to Docker's.
    with nullcontext() if check else ownership.locked(engine):
        owners = ownership.owners(plan, engine, given["workloads"])
        moved = volume_copies.transfer(plan, engine, owners, patience, progress, check=check)
    return {"changed": any(item["action"] not in ("unchanged", "skipped") for item in moved), "volumes": moved}


def workloads(given: Json, check: bool, _progress: Progress) -> Json:
    """``workload``."""
    if not check:
        signals.heed()
    return run.move(given, check)


WORK: dict[str, Callable[[Json, bool, Progress], Json]] = {"images": images, "volumes": volumes, "workloads": workloads}


def answer(work: str, given: Json, check: bool, progress: Progress) -> Json:
    """``{result}`` or ``{error}`` of this work, without secrets: programs quote what they choke on."""
    try:
        found = WORK[work](given, check, progress)
    except (UserError, OSError) as error:
        return {"error": _without_secrets([message_of(error)], given)[0]}
    failed = [item for item in found.get("workloads", []) if item["reason"]]
    for item, reason in zip(failed, _without_secrets([item["reason"] for item in failed], given)):
        item["reason"] = reason
    return {"result": found}


def _without_secrets(sentences: list[str], given: Json) -> list[str]:
    if not sentences:
        return []
    try:
        plan, engine = ownership.load(given["plan_path"], given["state_dir"])
        rules = policy.secret_rules(mapping(plan.get("policy")))
        hide = Masking(hidden.of_inventory(read_json(engine.inventory_path), rules), rules)
        return [hide.sentence(sentence) for sentence in sentences]
    except StateError:
        # Without a plan nothing of a container was looked at.
        return sentences
