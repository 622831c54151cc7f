# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The published ports that the controller reached before a move and has not reached since (private to the collection).

They are recorded on the host, so that no later run, from whatever controller, takes silence for success.
"""

from __future__ import annotations

from typing import Any, Dict, Sequence

from .._common.files import sync_folder
from .engine_state import EngineState
from .records import FORMAT, read_json, write_json

Port = Dict[str, Any]
"""A published port of the plan, and the name of its ``workload``."""


class Unreached:
    """The record beside the plan of an engine. Raises StateError when it is damaged."""

    def __init__(self, engine: EngineState) -> None:
        self._engine = engine
        self.path = engine.root / "unreached.json"
        self.ports: list[Port] = read_json(self.path)["ports"] if self.path.exists() else []
        """All that are recorded, also of workloads that are Docker's, or on their way."""

    def record(self, ports: Sequence[Port]) -> None:
        """Record these ports, and no others; without any, the file goes."""
        if ports:
            write_json(self.path, {"format": FORMAT, "ports": list(ports)})
        elif self.path.exists():
            self.path.unlink()
            sync_folder(self.path.parent)
        self.ports = list(ports)

    def of_podman(self) -> list[Port]:
        """Those of workloads that belong to Podman."""
        moved = self._engine.committed()
        return [port for port in self.ports if port["workload"] in moved]

    def forget_dockers(self) -> None:
        """Leave only those of workloads that belong to Podman in the record."""
        ports = self.of_podman()
        if ports != self.ports:
            self.record(ports)
