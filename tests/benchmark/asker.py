"""A crowd of clients that ask a Redis, one after the other, each on a connection of its own."""

from __future__ import annotations

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from client import Client

# A client that is kept waiting, by a packet that nobody refuses, keeps no other from asking.
_INTERVAL, _PATIENCE = 0.02, 3.0
_WORKERS = 200


class Asker(Client):
    """Asks while the ``with`` block runs; ``answers`` are the moments of the answers, in seconds of the monotonic clock."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.answers: list[float] = []

    def longest_silence(self) -> float:
        """The most seconds between two answers that follow one another, whoever got them."""
        answers = sorted(self.answers)
        return max(later - earlier for earlier, later in zip(answers, answers[1:], strict=False))

    def _run(self) -> None:
        with ThreadPoolExecutor(_WORKERS) as crowd:
            while not self._stop.wait(_INTERVAL):
                crowd.submit(self._ask)

    def _ask(self) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), _PATIENCE) as connection:
            connection.sendall(b"PING\r\n")
            if connection.makefile("rb").readline() == b"+PONG\r\n":
                self.answers.append(time.monotonic())
