# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is told to end undoes what is under way first (private to the collection)."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import Iterator

from .errors import UserError

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_told: list[str] = []
_deaf: list[bool] = []


class Interrupted(UserError):
    """The run was told to end; the message names the signal."""


def heed() -> None:
    """Make the signals that end a process an error instead."""
    for number in _SIGNALS:
        signal.signal(number, interrupt)


def interrupt(number: int, _frame: object) -> None:
    """Turn a signal into an error, so that what is under way is undone; a second one must not disturb that."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    _told.append(signal.Signals(number).name)
    if not _deaf:
        require_undisturbed()


@contextmanager
def deaf() -> Iterator[None]:
    """What goes on in here, the way back, is not disturbed; the next step notices."""
    _deaf.append(True)
    try:
        yield
    finally:
        _deaf.pop()


def require_undisturbed() -> None:
    """Interrupted when the run was told to end: Python tells the main thread only, and the others have to ask."""
    if _told:
        raise Interrupted("The run was ended by {0}; what was not committed is where it was before.".format(_told[0]))
