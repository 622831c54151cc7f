# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for tables of steps: when a step is done, and how it is undone (private to the collection)."""

from __future__ import annotations

import time
from typing import Callable

from .._common.json import Json
from .._network import port_gate
from .._state.journal import Notes
from .._workload.move_record import RECORD


def never(_notes: Notes) -> bool:
    """``done`` of a step that has to be done each time."""
    return False


def nothing(_notes: Notes) -> None:
    """``undo`` of a step that leaves nothing behind."""


def on(function: Callable[[Json], object]) -> Callable[[Notes], None]:
    """A function of the record, as ``undo``."""

    def call(notes: Notes) -> None:
        function(notes[RECORD])

    return call


def guarded(require: Callable[[Json], None], action: Callable[[Json], object]) -> Callable[[Notes], None]:
    """The same of an action to which something may stand against: ``require`` then raises, and nothing is done."""

    def call(record: Json) -> None:
        require(record)
        action(record)

    return on(call)


def if_(function: Callable[[Json], bool]) -> Callable[[Notes], bool]:
    """A question about the record, as ``done``."""
    return lambda notes: function(notes[RECORD])


def opening(stop: str) -> Callable[[Notes], Json]:
    """The step that opens the published ports. It returns the downtime: seconds since the step ``stop`` asked the first
    container to stop; until then all answered."""

    def open_ports(notes: Notes) -> Json:
        port_gate.open_ports(notes[RECORD])
        return {"downtime": round(max(0.0, time.time() - notes[stop]["at"]), 2) if stop in notes else 0.0}

    return open_ports
