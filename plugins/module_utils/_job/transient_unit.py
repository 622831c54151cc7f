# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that systemd knows only while they run (private to the collection)."""

from __future__ import annotations

import time
from typing import Sequence

from .._common.command import CommandError, run

_STATES = {
    "active": True,
    "activating": True,
    "deactivating": True,
    "reloading": True,
    "refreshing": True,
    "inactive": False,
    "failed": False,
}
_TRIES = 5
_PAUSE = 1.0
# Docker's containers come first where processor or disk are short. The mask is what skopeo wants: with a narrower one the
# root folder of an image is closed to all but root.


def start(unit: str, command: Sequence[str], given: Sequence[str]) -> None:
    """Run a program as this service with the ``given`` properties. Raises CommandError."""
    run(["systemctl", "reset-failed", unit], check=False)
    properties = ["--property=" + item for item in given]
    run(
        [
            "systemd-run",
            "--quiet",
            "--unit=" + unit,
            "--setenv=HOME=/root",
            "--service-type=exec",
            *properties,
            "--",
            *command,
        ]
    )


def is_under_way(unit: str) -> bool:
    """Whether this service runs. Raises CommandError when systemd does not say so."""
    return _STATES[_state(unit)]


def is_at_work(unit: str) -> bool:
    """The same of one that is active only while it waits. Raises CommandError."""
    state = _state(unit)
    return state != "active" and _STATES[state]


def _state(unit: str) -> str:
    """Raises CommandError when systemd, asked again and again, does not say so: a busy one answers nobody (its clients wait
    25 s), and its silence is no no."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE)
        answer = run(["systemctl", "show", "--property=ActiveState", "--value", unit], check=False)
        state = answer.stdout.strip()
        if answer.rc == 0 and state in _STATES:
            return state
    raise CommandError(
        "systemd does not say whether {0} runs ({1}), so nothing was begun, and what is under way goes on; see "
        "systemctl status {0} and run this again.".format(unit, answer.stderr.strip() or state or "no answer")
    )


def ending(unit: str) -> str:
    """How this service ended, in systemd's words, which it forgets when what the service had begun has been dealt with."""
    shown = run(["systemctl", "show", "--property=Result,ExecMainStatus", unit], check=False).stdout.split()
    return ", ".join(shown) if shown and "Result=success" not in shown else "systemd does not say how any more"
