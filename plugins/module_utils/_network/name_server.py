# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the name server of a network answer the containers there? (private to the collection)

Docker's is inside each container's own network. Podman's, aardvark-dns, listens on the host's side of the bridge, and the
host's INPUT rules can keep containers from it.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import time
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import NamedTuple, Sequence

from .._common import deadlines
from .probe import enter

_CONFIG = Path("/run/containers/networks/aardvark-dns")
_PORT = 53
_TRIES, _SECONDS = 10, 1.0
_HEADER = struct.pack("!6H", 0x6432, 0x0100, 1, 0, 0, 0)
_TYPE_A_CLASS_IN = struct.pack("!2H", 1, 1)


class Server(NamedTuple):
    """Where the server of a network listens, and a name that it knows."""

    addresses: Sequence[str]
    name: str


def server(network: str, config: Path = _CONFIG) -> Server | None:
    """The server of a network, by its configuration (aardvark-dns, README.md: a file for each network, the addresses first
    in its first line; then for each container its ID, its addresses and its names); None without one."""
    # Netavark marks internal networks so.
    for name in (network, network + "%int"):
        try:
            first, *others = (config / name).read_text().splitlines()
        except (OSError, ValueError):
            continue
        names = [words[3].split(",")[0] for words in (line.split(" ") for line in others) if len(words) > 3]
        addresses = [address for address in first.split(" ")[0].split(",") if address]
        return Server(addresses, names[0] if names else network)
    return None


def is_served(process: int, servers: Sequence[Server]) -> bool:
    """True when one of the servers answers in the network of a process: each knows the names of all networks that the asker
    is on. Takes seconds to find out that none does."""
    questions = [(address, one.name) for one in servers for address in one.addresses]
    with ThreadPoolExecutor(1, initializer=enter, initargs=("/proc/{0}/ns/net".format(process),)) as inside:
        try:
            return any(
                inside.submit(copy_context().run, answers, address, name).result() for address, name in questions
            )
        except BrokenExecutor:
            # The process has ended, which others notice.
            return True


def answers(address: str, name: str, port: int = _PORT) -> bool:
    """True when a name server answers a question, whatever it says, in the network of this thread (RFC 1035)."""
    labels = [label.encode()[:63] for label in name.split(".") if label]
    question = _HEADER + b"".join(bytes([len(label)]) + label for label in labels) + b"\0" + _TYPE_A_CLASS_IN
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    for attempt in range(_TRIES):
        if attempt and deadlines.over():
            break
        # A port at which nobody listens yet says so at once.
        time.sleep(_SECONDS if attempt else 0)
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asking:
                asking.settimeout(_SECONDS)
                asking.connect((address, port))
                asking.send(question)
                return bool(asking.recv(512))
        except OSError:
            continue
    return False
