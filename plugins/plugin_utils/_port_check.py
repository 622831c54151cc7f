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
from typing import Any, Callable, NamedTuple

_SECONDS, _PAUSE, _WORKERS = 3.0, 0.5, 16
# How long a port may take from its opening on the host to its first answer here.
_PATIENCE = 10.0

Port = dict[str, Any]
"""A published port of the plan: container, host_ip ("" for all addresses), host_port, proto."""

_REMEDY = " Each run fails until it is reached; to take it as it is, remove {0} on the host and run this again."


class Calls(NamedTuple):
    """Calls of the module ``workload``: as in check mode, until the work is done, and to record ports that still have to
    be reached. Each returns the module's answer."""

    foresee: Callable[[], dict[str, Any]]
    follow: Callable[[], dict[str, Any]]
    record: Callable[[list[Port]], dict[str, Any]]


def watched(name: str, is_forward: bool, check: bool, calls: Calls) -> dict[str, Any]:
    """The answer of the module; failed while ports of the host ``name`` that were reached before are not any more. On the
    way to Podman (``is_forward``) the host remembers them."""
    answered: list[Port] = []
    if not check:
        foreseen = calls.foresee()
        answered = [item[1] for item in answering(targets(ports(foreseen), name))]
        if is_forward and answered:
            # Before the move: who is cut off after it leaves them to the next run.
            kept = calls.record([port for port in foreseen["unreached_recorded"] if port not in answered] + answered)
            if kept.get("failed"):
                return kept
    answer = calls.follow()
    if "unreached" not in answer:
        return answer
    if not is_forward:
        return failed(answer, closed(moved(answer, answered), name))
    lost = closed(answer["unreached"], name)
    if lost != answer["unreached"] and not check:
        kept = calls.record(lost)
        if kept.get("failed"):
            return kept
    return failed(answer, lost, _REMEDY.format(answer["unreached_path"]))


def unseen(answer: dict[str, Any], is_forward: bool) -> dict[str, Any]:
    """The answer of the module to who cannot look from outside; failed while ports are recorded that a controller misses."""
    lost = answer.get("unreached", []) if is_forward else []
    said = (
        "An earlier run reached port{0} {1} before the move and not since, and this one cannot tell, because it does not come from "
        "another machine. Run this from there, or take it as it is: remove {2} on the host."
    )
    return _failed(answer, said.format(*_names(lost), answer["unreached_path"])) if lost else answer


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


def closed(wanted: Sequence[Port], name: str) -> list[Port]:
    """Those of the ports that do not answer on the host ``name``, also after a while."""
    asked = targets(wanted, name)
    still = answering(asked, _PATIENCE)
    return [item[1] for item in asked if item not in still]


def ports(answer: dict[str, Any]) -> list[Port]:
    """The ports of what moves by an answer of the module ``workload``, with the names of their workloads."""
    moving = [item for item in answer.get("workloads", []) if item["changed"]]
    return [{**port, "workload": item["name"]} for item in moving for port in item["ports"]]


def moved(answer: dict[str, Any], wanted: Sequence[Port]) -> list[Port]:
    """Those of the ports, as ``ports`` has them, whose workload has moved by the answer."""
    names = {item["name"] for item in answer["workloads"] if item["changed"] and item["state"] == "committed"}
    return [port for port in wanted if port["workload"] in names]


def failed(answer: dict[str, Any], lost: Sequence[Port], remedy: str = "") -> dict[str, Any]:
    """The answer; failed when ports are ``lost``, with what else can be done about them."""
    if not lost:
        return answer
    said = (
        "On the host all published ports of what moved are open, but the controller does not reach port{0} {1} any more, as it "
        "did before. Look at what filters between them, or bring it back.{2}"
    )
    return _failed(answer, said.format(*_names(lost), remedy))


def _names(lost: Sequence[Port]) -> tuple[str, str]:
    """The ending of the word port, and the ports."""
    names = ("{0} of {1}".format(port["host_port"], port["container"]) for port in lost)
    return "s" if len(lost) > 1 else "", ", ".join(names)


def _failed(answer: dict[str, Any], said: str) -> dict[str, Any]:
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
