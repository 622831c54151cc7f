"""Ports of this machine that lead to another's: each connection is carried on from the namespace of this process."""

from __future__ import annotations

import contextlib
import socket
import threading


def serve(listener: socket.socket, target: tuple[str, int]) -> None:
    """In the background."""
    threading.Thread(target=_accept, args=(listener, target), daemon=True).start()


def _accept(listener: socket.socket, target: tuple[str, int]) -> None:
    while True:
        client, _address = listener.accept()
        threading.Thread(target=_carry, args=(client, target), daemon=True).start()


def _carry(client: socket.socket, target: tuple[str, int]) -> None:
    with client:
        # For as long as the kernel tries: to the client of a port that drops what it gets it is silence.
        with contextlib.suppress(OSError), socket.create_connection(target) as server:
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Until the source has ended, which the sink is told."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
