# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often to look whether something has come up (private to the collection)."""

from __future__ import annotations

import time

_SHORTEST, _LONGEST = 0.03, 2.0
# On a busy host looking takes from the applications what they need to come up.
_OF_LOOKING = 2
# What comes up is noticed so much later at most.
_OF_WAITING = 0.1


def pause(waited: float, looked: float) -> float:
    """Seconds until the next look, after ``waited`` seconds in all, ``looked`` of them for the last look."""
    return min(_LONGEST, max(_SHORTEST, _OF_LOOKING * looked, _OF_WAITING * waited))


def rest(began: float, looked: float) -> None:
    """Wait for the next look; the moments when the first one and the last one began are those of ``time.monotonic``."""
    now = time.monotonic()
    time.sleep(pause(now - began, now - looked))
