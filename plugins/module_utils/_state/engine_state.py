# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection remembers on the target (private to the collection).

    STATE_DIR/<engine id>/engine.json          which engine, at which socket
                          inventory.json       the recorded inventory, complete
                          plan.json            the complete plan
                          retired.json         present once the engine is retired
                          unreached.json       ports that the controller has not reached since a move
                          journal/NAME.jsonl   the transaction of a workload
                          coexist/             what holds for workloads that have moved whenever Docker starts

Everything is 0600 in folders of 0700: these documents hold environment values.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .journal import read_journal
from .records import FORMAT, read_json, safe_name, write_json


class EngineState:
    """The records about one engine, in the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.record_path = root / "engine.json"
        self.inventory_path = root / "inventory.json"
        self.plan_path = root / "plan.json"
        self.retired_path = root / "retired.json"
        self.coexist_path = root / "coexist"

    @property
    def engine_id(self) -> str:
        return self.root.name

    @property
    def socket(self) -> str:
        return str(read_json(self.record_path).get("socket", ""))

    @property
    def retired(self) -> bool:
        return self.retired_path.exists()

    def journal_path(self, workload: str) -> Path:
        return self.root / "journal" / (safe_name(workload) + ".jsonl")

    def journal(self, workload: str) -> list[dict[str, Any]]:
        """The events of a workload's transactions, oldest first; empty when there was none."""
        return read_journal(self.journal_path(workload))

    def journals(self) -> list[str]:
        """The names of the workloads that have a journal."""
        return [path.name[: -len(".jsonl")] for path in sorted((self.root / "journal").glob("*.jsonl"))]

    def committed(self) -> dict[str, list[str]]:
        """Workloads that belong to Podman now, with the IDs of the Docker containers they were."""
        moved = {}
        for name in self.journals():
            commits = [event["data"] for event in self.journal(name) if event["event"] == "commit"]
            if commits and commits[-1]["goal"] == "podman":
                moved[name] = [str(item) for item in commits[-1]["containers"]]
        return moved


def container_ids(workloads: dict[str, list[str]]) -> set[str]:
    """The Docker containers of workloads, as ``EngineState.committed`` has them."""
    return {container for containers in workloads.values() for container in containers}


def asleep(state_dir: str, socket: str) -> EngineState | None:
    """The engine that was recorded last at ``socket``, when that one is retired; None otherwise."""
    wanted = os.path.realpath(socket)
    engines = [EngineState(record.parent) for record in Path(state_dir).glob("*/engine.json")]
    there = [engine for engine in engines if os.path.realpath(engine.socket) == wanted]
    last = max(there, key=_last_recorded, default=None)
    return last if last and last.retired else None


def _last_recorded(engine: EngineState) -> tuple[int, bool]:
    """When something was recorded about an engine (ns of the epoch), and whether it is retired, for what is as old."""
    paths = (engine.record_path, engine.inventory_path, engine.retired_path)
    return max(path.stat().st_mtime_ns for path in paths if path.exists()), engine.retired


def find_engine(state_dir: str, engine_id: str) -> EngineState | None:
    """The records about an engine; None when it was never assessed."""
    engine = EngineState(Path(state_dir) / safe_name(engine_id))
    return engine if engine.record_path.exists() else None


def open_engine(state_dir: str, engine_id: str, socket: str) -> EngineState:
    """The records about an engine, which is at ``socket`` now; begins them when there are none."""
    engine = EngineState(Path(state_dir) / safe_name(engine_id))
    if not engine.record_path.exists() or os.path.realpath(engine.socket) != os.path.realpath(socket):
        write_json(engine.record_path, {"format": FORMAT, "id": engine_id, "socket": socket})
    return engine
