# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection remembers on the target (private to the collection).

    STATE_DIR/<engine id>/engine.json          which engine, at which socket
                          inventory.json       the recorded inventory, complete
                          plan.json            the complete plan
                          retired.json         present once the engine is retired
                          unreached.json       ports that the controller has not reached since a move
                          journal/NAME.jsonl   the transaction of a workload

Everything is 0600 in folders of 0700: these documents hold environment values.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from .._common.errors import UserError, named

STATE_DIR = "/var/lib/docker_to_podman"
SCRATCH_DIR = "/run/docker_to_podman"
FORMAT = 1

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,200}\Z")


class StateError(UserError):
    """A record is missing, damaged or of another format. The message names the file and says what to do."""


def safe_name(name: str) -> str:
    """Return ``name`` when it may become the name of a file; StateError otherwise."""
    if not _SAFE_NAME.match(name):
        raise StateError("{0!r} cannot be the name of a file; nothing was written.".format(name))
    return name


def short_name(workload: str) -> str:
    """12 characters that stand for a workload where the kernel or a program takes few, and plain ones only."""
    return hashlib.sha256(workload.encode()).hexdigest()[:12]


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a record. Raises StateError when it is missing, damaged or not of a format this version knows."""
    document = load_json(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StateError("{0} is not a record of format {1}. {2}".format(path, FORMAT, _REMEDY))
    return document


def load_json(path: str | Path) -> Any:
    """Whatever a file of JSON holds. Raises StateError when it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StateError("{0} does not exist; run the role assess first.".format(path)) from None
    except OSError as error:
        raise StateError("{0} cannot be read: {1}.".format(path, error.strerror)) from None
    except (ValueError, RecursionError) as error:
        raise StateError("{0} is damaged ({1}). {2}".format(path, error, _REMEDY)) from None


_REMEDY = "Restore it from a backup or move it away and run the role assess again; nothing was changed."


def write_json(path: str | Path, document: dict[str, Any]) -> None:
    """Write a record so that after a power cut either the old or the new one is there, whole."""
    write_file(path, json.dumps(document, indent=1, sort_keys=True) + "\n")


def write_file(path: str | Path, text: str, mode: int = 0o600) -> None:
    """Replace a file atomically and durably; a folder that is missing is made root-only."""
    target = Path(path)
    make_folder(target.parent)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=str(target.parent))
    try:
        with named(target), os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, str(target))
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(target.parent)


def boot_id() -> str:
    """What tells this boot of the host from all others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, root-only, and make their names durable; leave existing ones as they are."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with named(folder):
            os.fsync(handle)
    finally:
        os.close(handle)


class EngineState:
    """The records about one engine, in the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.record_path = root / "engine.json"
        self.inventory_path = root / "inventory.json"
        self.plan_path = root / "plan.json"
        self.retired_path = root / "retired.json"

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


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a journal. A torn last line is what a power cut leaves: it was never acknowledged.

    Raises StateError when any other line is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return []
    events = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            event = json.loads(line)
            if event["format"] != FORMAT or not isinstance(event["event"], str):
                raise ValueError("unknown format")
        except (ValueError, KeyError, TypeError) as error:
            raise StateError("{0}, line {1}, is damaged ({2}). {3}".format(path, number, error, _REMEDY)) from None
        events.append(event)
    return events


def append_journal(path: Path, event: dict[str, Any]) -> None:
    """Append one event, durable when this returns; a torn line before it is cut off first."""
    make_folder(path.parent)
    new = not path.exists()
    with named(path), open(str(path), "ab+") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.seek(0)
        whole = stream.read().rfind(b"\n") + 1
        stream.truncate(whole)
        stream.write(json.dumps({"format": FORMAT, **event}, sort_keys=True).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    if new:
        sync_folder(path.parent)


def text_of(path: Path) -> str:
    """The text of a file of the host; "" when it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


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
