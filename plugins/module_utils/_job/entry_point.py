# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that systemd runs on the target: one piece of long work, its progress and its result (private to the
collection).

usage: program FOLDER, where FOLDER holds task.json; or program recover STATE_DIR
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._common import signals
from .._common.progress import Progress
from .._move import guard
from .._state import ownership
from .._state.records import StateError, load_json, write_json
from . import tasks

TASK, PROGRESS, RESULT = "task.json", "progress.json", "result.json"


def main() -> None:
    """Do the task and leave ``{result}`` or ``{error}``, or be one of the helping services."""
    if sys.argv[1] in guard.TASKS:
        signals.heed()
        raise SystemExit(guard.main(sys.argv[1], sys.argv[2]))
    folder = Path(sys.argv[1])
    task = load_json(folder / TASK)
    # A registry may be reached only through the proxies that the task was given.
    os.environ.update(task["environment"])
    progress = Progress(lambda picture: _show(folder / PROGRESS, picture))
    write_json(folder / RESULT, tasks.answer(task["work"], task["arguments"], False, progress))
    if task["work"] == "workloads" and _is_under_way(task["arguments"]):
        # Then the service that recovers takes over.
        raise SystemExit(1)


def _is_under_way(given: dict[str, Any]) -> bool:
    try:
        _plan, engine = ownership.load(given["plan_path"], given["state_dir"])
    except StateError:
        # Nothing is begun without a plan.
        return False
    return guard.is_under_way(str(engine.root.parent))


def _show(path: Path, picture: dict[str, Any]) -> None:
    # Whole or not at all, but not durable: nobody reads it after a power cut.
    # And no work fails for want of it.
    with suppress(OSError):
        part = path.with_suffix(".part")
        part.write_text(json.dumps(picture))
        os.replace(str(part), str(path))
