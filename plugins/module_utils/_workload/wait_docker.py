# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a workload is on Docker as it was there before (private to the collection)."""

from __future__ import annotations

import time
from typing import Callable, Iterable

from .._common import deadlines
from .._common.errors import UserError
from .._common.json import Json
from .._common.signals import require_undisturbed
from .._docker.api import Docker, health_of, process_of
from .._network import port_check
from .._network.probe import Outside
from .docker_containers import has_done, is_up
from .move_record import running

_POLL_SECONDS = 0.3
# Seconds for a look that began in time; Docker runs programs to answer.
_LAST_LOOK = 10.0


def wait(
    record: Json,
    outside: Outside,
    docker: Docker,
    timeout: float,
    help_up: Callable[[Json], None] = lambda _record: None,
) -> None:
    """Return when nothing is missing; UserError after ``timeout`` seconds. ``help_up`` is called until then."""
    deadline = time.monotonic() + timeout
    while True:
        with deadlines.within(deadline + _LAST_LOOK - time.monotonic()):
            missing = lacks(record, outside, docker)
        if not missing:
            return
        require_undisturbed()
        if time.monotonic() > deadline:
            raise UserError("It was not ready within {0:g} s on Docker: {1}.".format(timeout, "; ".join(missing)))
        help_up(record)
        time.sleep(_POLL_SECONDS)


def let_start(containers: Iterable[Json], docker: Docker, timeout: float) -> None:
    """Return when no health check is in its first tries, after ``timeout`` seconds at the latest: what was not healthy under
    Docker need not be healthy afterwards."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and any(health_of(docker.inspect(one["id"])) == "starting" for one in containers):
        require_undisturbed()
        time.sleep(_POLL_SECONDS)


def lacks(record: Json, outside: Outside, docker: Docker) -> list[str]:
    """What is worse than it was when the workload left Docker, in sentences."""
    missing = []
    members = [member for member in running(record["containers"]) if not member.get("may_fail")]
    documents = {member["name"]: docker.inspect(member["id"]) for member in members}
    done = {member["name"] for member in members if has_done(member, documents[member["name"]])}
    for member in (item for item in members if item["name"] not in done):
        document = documents[member["name"]]
        health = health_of(document)
        if not is_up(document) and not member["restarting"]:
            missing.append("{0} does not run".format(member["name"]))
        elif member["healthy"] and health != "healthy":
            missing.append("{0} is {1}, and was healthy".format(member["name"], health))
    if missing:
        return missing
    processes = {name: process_of(document) for name, document in documents.items()}
    expected = [port for port in record["answered"] if port["container"] not in done]
    answering = port_check.answering(expected, processes, outside)
    return [
        "published port {0} of {1} does not answer from outside, as it did".format(port["host_port"], port["container"])
        for port in expected
        if port not in answering
    ]
