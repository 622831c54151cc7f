# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same for several things at once (private to the collection)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Callable, Sequence


def each(action: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """The same for several things at once, each within the deadline of the caller; the first error is raised when all are
    through."""
    with ThreadPoolExecutor(max(1, len(items))) as pool:
        return [result.result() for result in [pool.submit(copy_context().run, action, item) for item in items]]
