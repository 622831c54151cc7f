# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far long work is, for whoever watches it (private to the collection)."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

_SECONDS = 1.0


class Progress:
    """Counts bytes, from several threads, and hands a picture of it to ``show``, at most once a second:
    ``{what, done, total, seconds}``."""

    def __init__(self, show: Callable[[dict[str, Any]], None] = lambda _picture: None) -> None:
        self._show = show
        self._lock = threading.Lock()
        self._shown = 0.0
        self.begin("", 0)

    def begin(self, what: str, total: int) -> None:
        """Start counting towards ``total`` bytes."""
        self._what, self._total, self._done, self._began = what, total, 0, time.monotonic()

    def add(self, count: int) -> None:
        """So many bytes more are done; an estimate that turns out too low is raised."""
        with self._lock:
            self._done += count
            self._total = max(self._total, self._done)
            now = time.monotonic()
            if now - self._shown >= _SECONDS:
                self._shown = now
                self._show({"what": self._what, "done": self._done, "total": self._total, "seconds": now - self._began})


def line(picture: dict[str, Any]) -> str:
    """One line for a person: what, how much of how much, speed, and time left."""
    done, total, seconds = int(picture["done"]), int(picture["total"]), float(picture["seconds"])
    speed = done / seconds if seconds > 0 else 0.0
    left = "{0} left".format(_duration((total - done) / speed)) if speed > 0 else "just begun"
    return "{0}: {1} of {2}, {3}/s, {4}".format(picture["what"], size(done), size(total), size(speed), left)


def size(count: float) -> str:
    """Bytes for a person: ``1.5 GB``."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while count >= 1000 and len(units) > 1:
        count /= 1000
        units.pop(0)
    unit = units[0]
    return "{0:.0f} {1}".format(count, unit) if unit == "B" or count >= 100 else "{0:.1f} {1}".format(count, unit)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "{0}:{1:02d}:{2:02d}".format(hours, minutes, rest) if hours else "{0}:{1:02d}".format(minutes, rest)
