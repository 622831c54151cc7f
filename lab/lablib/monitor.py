"""QEMU's monitor: QMP on a unix socket."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

from .cache import LabError


class Monitor:
    """QMP on a unix socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(300)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rwb")
        self._stream.readline()
        self.execute("qmp_capabilities")

    def execute(self, name: str, **arguments: Any) -> Any:
        """The answer's "return"; events in between are passed over."""
        self._stream.write(json.dumps({"execute": name, "arguments": arguments}).encode())
        self._stream.flush()
        while True:
            line = self._stream.readline()
            if not line:
                raise LabError(f"QEMU closed its monitor during {name}.")
            answer = json.loads(line)
            if "error" in answer:
                raise LabError(f"QEMU refuses {name}: {answer['error']['desc']}.")
            if "return" in answer:
                return answer["return"]

    def human(self, line: str) -> None:
        """A command of the human monitor; what it prints is an error."""
        if said := self.execute("human-monitor-command", **{"command-line": line}).strip():
            raise LabError(f"QEMU: {said}")

    def wait(self, query: str, wanted: str) -> None:
        """Until query-migrate or query-status says so."""
        for _attempt in range(3000):
            status = self.execute(query).get("status")
            if status == wanted:
                return
            if status == "failed":
                break
            time.sleep(0.1)
        raise LabError(f"QEMU's {query} says {status!r} instead of {wanted!r}.")

    def resume(self) -> None:
        """Run what -incoming loads: it arrives as it was saved, stopped."""
        self.wait("query-status", "paused")
        self.execute("cont")

    def save_state(self, path: Path) -> None:
        """Memory and devices into a file; the machine stays stopped."""
        self.execute("stop")
        self.execute("migrate-set-parameters", **{"max-bandwidth": 2**40})
        self.execute("migrate", uri=f"exec:cat > '{path}'")
        self.wait("query-migrate", "completed")
