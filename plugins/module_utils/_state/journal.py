# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal: the events of one workload's moves, and what they say (private to the collection).

A journal is a list of attempts, each with a goal: the engine that shall own the workload. An attempt that ends without a
commit or a rollback is that of an interrupted run: whoever finds it undoes it.
"""

from __future__ import annotations

import calendar
import json
import math
import os
import time
from pathlib import Path
from typing import Any, Dict, Sequence

from .._common.errors import named
from .._common.files import make_folder, sync_folder
from .._common.json import Json
from .records import FORMAT, REMEDY, StateError

Notes = Dict[str, Json]
"""What the steps of an attempt returned, by the name of the step, as the journal holds it."""
DOCKER, PODMAN = "docker", "podman"
TIME = "%Y-%m-%dT%H:%M:%SZ"


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a journal. A torn last line is what a power cut leaves: it was never acknowledged.

    Raises StateError when any other line is damaged.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    events = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            event = json.loads(line.decode("utf-8"))
            if event["format"] != FORMAT or not isinstance(event["event"], str):
                raise ValueError("unknown format")
        except (ValueError, KeyError, TypeError) as error:
            raise StateError("{0}, line {1}, is damaged ({2}). {3}".format(path, number, error, REMEDY)) from None
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


def attempts(events: Sequence[Json]) -> list[list[Json]]:
    """The events of each attempt, oldest first."""
    found: list[list[Json]] = []
    for event in events:
        if event["event"] == "begin" or not found:
            found.append([])
        found[-1].append(event)
    return found


def settled(events: Sequence[Json]) -> list[Json]:
    """The events of the attempt that last reached its commit; none when none did."""
    reached = [attempt for attempt in attempts(events) if has_event(attempt, "commit")]
    return reached[-1] if reached else []


def interrupted(events: Sequence[Json]) -> str:
    """The goal of an attempt that has come to no end; "" when there is none."""
    last = attempts(events)[-1:]
    return "" if not last or has_event(last[0], "commit") or has_event(last[0], "rollback") else goal(last[0])


def owner(events: Sequence[Json]) -> str:
    """The engine that a workload belongs to."""
    return goal(settled(events)) if settled(events) else DOCKER


def undone_since(events: Sequence[Json]) -> float:
    """Seconds since the last attempt was undone; infinite when it was not."""
    moments = [event["time"] for attempt in attempts(events)[-1:] for event in attempt if event["event"] == "rollback"]
    return time.time() - calendar.timegm(time.strptime(moments[0], TIME)) if moments else math.inf


def goal(attempt: Sequence[Json]) -> str:
    return str(attempt[0]["data"]["goal"])


def has_finished(events: Sequence[Json], step: str) -> bool:
    """True when a step that follows the last commit has been done."""
    return any(event["event"] == "done" and event["step"] == step for event in settled(events))


def notes(attempt: Sequence[Json]) -> Notes:
    """What the steps of an attempt returned."""
    return {event["step"]: event["data"] for event in attempt if event["event"] == "done"}


def begun(attempt: Sequence[Json]) -> set[str]:
    """The steps that an attempt has begun, whether or not they came to their end."""
    return steps_with(attempt, "do")


def has_event(attempt: Sequence[Json], kind: str) -> bool:
    return any(event["event"] == kind for event in attempt)


def steps_with(attempt: Sequence[Json], kind: str) -> set[str]:
    return {event["step"] for event in attempt if event["event"] == kind}
