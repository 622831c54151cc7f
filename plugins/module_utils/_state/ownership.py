# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan, and which of its workloads are still Docker's (private to the collection)."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Sequence

from .._common.files import make_folder
from .engine_state import EngineState, container_ids
from .records import StateError, read_json, safe_name


class Ownership(NamedTuple):
    """The plan's workloads, told apart by who owns them."""

    docker: list[dict[str, Any]]
    podman: list[dict[str, Any]]


def load(plan_path: str, state_dir: str) -> tuple[dict[str, Any], EngineState]:
    """Read a plan and find the records of its engine: beside the plan, or below ``state_dir`` when the plan was made in
    check mode and lies elsewhere. Raises StateError."""
    plan = read_json(plan_path)
    beside = EngineState(Path(plan_path).parent)
    if (beside.root / "engine.json").exists():
        return plan, beside
    try:
        return plan, EngineState(Path(state_dir) / safe_name(plan["engine"]["id"]))
    except (KeyError, TypeError):
        raise StateError("{0} does not name its engine; run the role assess again.".format(plan_path)) from None


def owners(plan: dict[str, Any], engine: EngineState, wanted: Sequence[str] = ()) -> Ownership:
    """Tell committed workloads from the others; ``wanted`` limits the others to these names (none: all).

    A workload counts as committed also when only one of its containers is: a plan made again may have named or cut it
    otherwise, and what Podman owns is never written.
    """
    committed = engine.committed()
    moved = container_ids(committed)
    result = Ownership([], [])
    for workload in plan["workloads"]:
        gone = workload["name"] in committed or any(item["id"] in moved for item in workload["containers"])
        if gone:
            result.podman.append(workload)
        elif not wanted or workload["name"] in wanted:
            result.docker.append(workload)
    unknown = set(wanted).difference(workload["name"] for workload in plan["workloads"])
    if unknown:
        raise StateError("The plan has no workload {0}; name one of its own.".format(" and no ".join(sorted(unknown))))
    return result


@contextmanager
def locked(engine: EngineState, wait: bool = False) -> Iterator[None]:
    """Keep other runs away from this engine; ``wait`` until the one before has ended."""
    make_folder(engine.root)
    with open(str(engine.root / "lock"), "w", encoding="ascii", opener=root_only) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(
                "Another run copies volumes or moves workloads of this engine; wait until it has ended."
            ) from None
        yield


def root_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
