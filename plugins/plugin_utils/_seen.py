# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports as the controller sees them: between it and the host there may be firewalls that the host knows nothing
of."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_SECONDS, _PAUSE, _WORKERS = 3.0, 0.5, 16
# How long a port may take from its opening on the host to its first answer here.
_PATIENCE = 10.0

Port = dict[str, Any]
"""A published port of the plan: container, host_ip ("" for all addresses), host_port, proto."""


def host(name: str) -> str:
    """The address that Ansible connects to; "" when that is the controller itself, or a way through it."""
    return "" if name == "localhost" or _is(name, "is_loopback") else name


def targets(ports: Sequence[Port], name: str) -> list[tuple[str, Port]]:
    """Where to connect to for each TCP port, without those that are for the host alone."""
    found = [(port["host_ip"], port) for port in ports if port["proto"] == "tcp"] if name else []
    return [
        (name if not address or _is(address, "is_unspecified") else address, port)
        for address, port in found
        if not _is(address, "is_loopback")
    ]


def answering(wanted: Sequence[tuple[str, Port]], patience: float = 0) -> list[tuple[str, Port]]:
    """Those that accept a connection within ``patience`` seconds, or at once."""
    deadline = time.monotonic() + patience
    with ThreadPoolExecutor(_WORKERS) as pool:
        answers = list(pool.map(lambda item: _answers(item[0], int(item[1]["host_port"]), deadline), wanted))
    return [item for item, answer in zip(wanted, answers) if answer]


def judged(answer: dict[str, Any], answered: Sequence[tuple[str, Port]]) -> dict[str, Any]:
    """The answer of the module ``workload``; failed when ports of what moved that had ``answered`` do not any more."""
    results = answer.get("workloads", [])
    moved = [item for item in results if item["changed"] and item["state"] == "committed"]
    containers = {port["container"] for item in moved for port in item["ports"]}
    wanted = [(address, port) for address, port in answered if port["container"] in containers]
    still = answering(wanted, _PATIENCE)
    lost = ["{0} of {1}".format(item[1]["host_port"], item[1]["container"]) for item in wanted if item not in still]
    if not lost:
        return answer
    said = (
        "On the host all published ports of what moved are open, but the controller does not reach port {0} any more, as it did "
        "before. Look at what filters between them, or bring it back.".format(", ".join(lost))
    )
    return {**answer, "failed": True, "msg": "\n".join(filter(None, [answer.get("msg"), said]))}


def _answers(address: str, port: int, deadline: float) -> bool:
    while True:
        try:
            with socket.create_connection((address, port), _SECONDS):
                return True
        # Python refuses a name with an empty or a long label before it asks for it.
        except (OSError, UnicodeError):
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)


def _is(address: str, what: str) -> bool:
    try:
        return bool(getattr(ipaddress.ip_address(address), what))
    except ValueError:
        return False
