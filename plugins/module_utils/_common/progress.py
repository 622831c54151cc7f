# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far long work is, for whoever watches it (private to the collection)."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

_SECONDS = 1.0


class Progress:
    """Counts bytes, from several threads, and hands a picture of what moves to ``show``, at most once a second:
    ``{what, done, total, seconds}``."""

    def __init__(self, show: Callable[[dict[str, Any]], None] = lambda _picture: None) -> None:
        self._show = show
        self._lock = threading.Lock()
        self._shown = 0.0

    def begin(self, what: str, total: int = 0) -> Callable[[int], None]:
        """What to call with the bytes that are done of this; its time runs from the first call, which is always shown.

        ``total`` is in bytes: 0 when nobody knows, and raised when it turns out too low.
        """
        done, began = 0, 0.0

        def count(more: int) -> None:
            nonlocal done, began
            with self._lock:
                now = time.monotonic()
                is_first, began = not began, began or now
                done += more
                if is_first or now - self._shown >= _SECONDS:
                    self._shown = now
                    whole = max(total, done) if total else 0
                    self._show({"what": what, "done": done, "total": whole, "seconds": now - began})

        return count


def line(picture: dict[str, Any]) -> str:
    """One line for a person: what, how much of how much, speed, and time left; the last only when the whole is known."""
    done, total, seconds = int(picture["done"]), int(picture["total"]), float(picture["seconds"])
    speed = done / seconds if seconds > 0 else 0.0
    if not total:
        return "{0}: {1}, {2}/s".format(picture["what"], size(done), size(speed))
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
