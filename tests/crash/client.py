# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that is at work in the background."""

from __future__ import annotations

import threading
from typing import TypeVar

Self = TypeVar("Self", bound="Client")


class Client:
    """At work, in ``_run``, while the ``with`` block runs, until ``_stop`` is set."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._stop = threading.Event()

    def __enter__(self: Self) -> Self:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        raise NotImplementedError
