# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that writes numbers, one after the other, and knows which of them it was told are kept."""

from __future__ import annotations

import socket
import time

from client import Client

_KEY = "log"


class Writer(Client):
    """Writes while the ``with`` block runs; ``acknowledged`` are the numbers that the service said it has."""

    def __init__(self, port: int, first: int = 0) -> None:
        super().__init__(port)
        self._next = first
        self.acknowledged: list[int] = []

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=3) as connection:
                    answers = connection.makefile("rb")
                    while not self._stop.is_set():
                        number = self._next
                        self._next += 1
                        connection.sendall(command("RPUSH", _KEY, str(number)))
                        if answers.readline().startswith(b":"):
                            self.acknowledged.append(number)
                        time.sleep(0.05)
            except OSError:
                time.sleep(0.2)


def kept(port: int) -> list[int]:
    """The numbers that the service has. OSError when it does not answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(command("LRANGE", _KEY, "0", "-1"))
        answers = connection.makefile("rb")
        head = answers.readline()
        if not head.startswith(b"*"):
            raise OSError(f"no list: {head!r}")
        return [int(answers.read(int(answers.readline()[1:]) + 2)) for _number in range(int(head[1:]))]


def command(*words: str) -> bytes:
    """A command in Redis' protocol."""
    return f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words)
