# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's volumes into Podman's while Docker serves (private to the collection)."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Mapping, NamedTuple, Sequence

from .._common.progress import Progress, size
from .._podman import storage
from .._state.engine_state import EngineState
from .._state.ownership import Ownership
from .._trees import rsync
from .._trees.mount_namespace import confined
from . import adopt, locate, rounds
from .locate import VolumeError
from .rounds import Trees
from .space import PARALLEL, Sizes, require

_PAUSE = 60.0


class Patience(NamedTuple):
    """What is done about volumes that change so much that their final copy would take longer than ``max_downtime``
    seconds: ``when_longer`` is ``go``, ``stop``, or ``wait`` (for up to ``wait_for`` seconds, then stop)."""

    max_downtime: float
    when_longer: str
    wait_for: float


def transfer(
    plan: dict[str, Any],
    engine: EngineState,
    owners: Ownership,
    patience: Patience,
    progress: Progress,
    *,
    check: bool = False,
) -> list[dict[str, Any]]:
    """Create and fill the Podman volumes of Docker's workloads; those of committed workloads are never touched.

    Returns, for each volume: name, action (copied, unchanged, created, adopted, would-copy, would-create, would-adopt,
    skipped), rounds (each files, bytes, cloned, seconds). Raises VolumeError, TreeError, CommandError.
    """
    moved = locate.distinct(volume for workload in owners.podman for volume in workload["volumes"])
    kept = {volume["name"] for volume in moved}
    todo = locate.distinct(volume for workload in owners.docker for volume in workload["volumes"])
    todo = [volume for volume in todo if volume["name"] not in kept]
    held, root = _held(check)
    for volume in todo:
        locate.admit(plan, volume, held, root)
    locate.require_unused([volume["name"] for volume in todo if volume["name"] in held and locate.is_copied(volume)])
    sizes = require(plan, todo, held, root)
    skipped = [_result(volume, "skipped") for volume in moved]
    if check:
        return [_foresee(plan, volume, held, root) for volume in todo] + skipped
    done = [_result(volume, _prepare(plan, volume, held)) for volume in todo]
    for workload in owners.docker:
        mine = {**workload, "volumes": [volume for volume in workload["volumes"] if volume["name"] not in kept]}
        staged = _stage(locate.trees(plan, engine, mine), workload["name"], sizes, patience, progress)
        for result in done:
            if result["name"] in staged:
                result["rounds"] = [_round(stats) for stats in staged[result["name"]]]
                if result["action"] == "created" or any(stats.changes for stats in staged[result["name"]]):
                    result["action"] = "copied"
    return done + skipped


def _prepare(plan: dict[str, Any], volume: dict[str, Any], held: dict[str, storage.Volume]) -> str:
    """Make the volume, or the name of Docker's; returns what was done."""
    if locate.is_adopted(volume):
        if adopt.is_linked(volume):
            return "unchanged"
        adopt.link(volume, plan["engine"]["data_root"])
        return "adopted"
    if volume["name"] in held:
        return "unchanged"
    locate.create(volume)
    return "created"


def _held(check: bool) -> tuple[dict[str, storage.Volume], str]:
    """Podman's volumes, and where it keeps them; none while check mode finds it missing."""
    if check and not storage.installed():
        return {}, ""
    return storage.volumes(), storage.storage().volume_root


def _stage(
    found: Sequence[Trees], workload: str, sizes: Mapping[str, Sizes], patience: Patience, progress: Progress
) -> dict[str, list[rsync.TreeStats]]:
    """Copy a workload's volumes in rounds until one is short enough, and return the rounds of each."""
    done: dict[str, list[rsync.TreeStats]] = {trees.name: [] for trees in found}
    seconds: list[float] = []
    until = 0.0
    while found:
        began = time.monotonic()
        round_name = "volumes of {0}, round {1}".format(workload, len(seconds) + 1)
        # What later rounds will copy is known by nobody.
        missing = 0 if seconds else sum(sizes[trees.name].missing for trees in found)
        copied = progress.begin(round_name + ", copied", missing)
        compared = progress.begin(round_name + ", compared", sum(sizes[trees.name].whole for trees in found))
        with ThreadPoolExecutor(PARALLEL) as pool:
            for trees, stats in zip(found, pool.map(partial(rounds.warm, copied=copied, compared=compared), found)):
                done[trees.name].append(stats)
        seconds.append(time.monotonic() - began)
        # A round that clones says nothing of how long one takes that copies.
        telling = seconds[1:] if any(stats[0].cloned for stats in done.values()) else seconds
        if not telling or not rounds.is_settled(telling, patience.max_downtime):
            continue
        if seconds[-1] <= patience.max_downtime or patience.when_longer == "go":
            break
        until = until or time.monotonic() + patience.wait_for
        if patience.when_longer == "stop" or time.monotonic() + _PAUSE > until:
            raise VolumeError(_too_long(workload, done, seconds, patience.max_downtime))
        time.sleep(_PAUSE)
    return done


def _too_long(
    workload: str, done: dict[str, list[rsync.TreeStats]], seconds: Sequence[float], max_downtime: float
) -> str:
    changed = sum(stats[-1].bytes for stats in done.values())
    return (
        "The volumes of {0} change so much that {0} would be down for about {1:.0f} s while they are brought up to date, "
        "more than {2:.0f} s: the last of {3} rounds copied {4}. Copying them cold took {5:.0f} s. Try at a quieter "
        "time, allow more (stage_max_downtime), or go on all the same (stage_when_longer: go). What was copied stays."
    ).format(workload, seconds[-1], max_downtime, len(seconds), size(changed), seconds[0])


def _foresee(
    plan: dict[str, Any], volume: dict[str, Any], held: dict[str, storage.Volume], root: str
) -> dict[str, Any]:
    if locate.is_adopted(volume):
        return _result(volume, "unchanged" if adopt.is_linked(volume) else "would-adopt")
    if locate.only_defined(volume):
        return _result(volume, "unchanged" if volume["name"] in held else "would-create")
    if volume["name"] not in held or not shutil.which("rsync"):
        return _result(volume, "would-copy")
    destination = locate.destination_of(volume, held, root)
    source = locate.reading(plan, volume)
    with confined([source], [destination]) as within:
        stats = within.run(rsync.copy, source.seen, destination, live=True, dry_run=True)
    return _result(volume, "would-copy" if stats.changes else "unchanged")


def _round(stats: rsync.TreeStats) -> dict[str, Any]:
    return {
        "files": stats.files,
        "bytes": stats.bytes,
        "cloned": stats.cloned,
        "seconds": round(stats.seconds, 2),
    }


def _result(volume: dict[str, Any], action: str) -> dict[str, Any]:
    return {"name": volume["name"], "action": action, "rounds": []}
