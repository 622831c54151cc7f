# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a workload is no worse on Podman than it was on Docker, and say what is missing (private to the
collection)."""

from __future__ import annotations

import time
from typing import Sequence

from .._common import deadlines
from .._common.errors import UserError
from .._common.json import Json
from .._common.signals import require_undisturbed
from .._common.terminal import plain
from .._docker.api import Docker, DockerError
from .._network.probe import Outside
from .._plan._documents import credentials
from .._plan.hidden import LEAST, MASK, Hidden
from .._podman import units
from . import readiness
from .move_record import running

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.03, 2.0
# Seconds for a look that began in time.
_LAST_LOOK = 3.0
_LOG_LINES = 50
_LOG_CHARACTERS = 4000


def wait(record: Json, outside: Outside, docker: Docker, timeout: float) -> None:
    """Return when nothing is missing; UserError after ``timeout`` seconds, or when waiting does not help."""
    wanted, since, began = expected(record), time.time(), time.monotonic()
    while True:
        looked = time.monotonic()
        with deadlines.within(began + timeout + _LAST_LOOK - looked):
            missing = readiness.lacks(wanted, outside)
        if not missing:
            return
        require_undisturbed()
        if any(lack.hopeless for lack in missing):
            raise _not_ready(record, docker, missing, "will not come up", since)
        if time.monotonic() > began + timeout:
            raise _not_ready(record, docker, missing, "was not ready within {0:g} s".format(timeout), since)
        now = time.monotonic()
        time.sleep(pause(now - began, now - looked))


def pause(waited: float, looked: float) -> float:
    """Seconds until the next look, after ``waited`` seconds in all and ``looked`` for the last look: what takes long may be
    noticed later, and on a busy host looking takes from the applications what they need to come up."""
    return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, 2 * looked, waited / 10))


def expected(record: Json) -> readiness.Expected:
    """What must be so, from what was so under Docker."""
    # What Docker had to start again and again need not run better now.
    members = [member for member in running(record["containers"]) if not member["restarting"]]
    ailing = [member["service"] for member in record["containers"] if member["restarting"]]
    published: dict[str, list[int]] = {}
    for port in record["ports"]:
        published.setdefault(port["container"], []).append(port["container_port"])
    listening = {
        member["name"]: [
            socket for socket in member["listening"] if readiness.is_lasting(socket, published.get(member["name"], []))
        ]
        for member in members
    }
    return readiness.Expected(
        owners={member["name"]: member["service"] for member in members},
        services=[service for service in units.services_of(record["units"]) if service not in ailing],
        healthy=[member["name"] for member in members if member["health"] and member["healthy"]],
        listening=listening,
        ports=record["answered"],
        networks=[network["name"] for network in record["networks"] if _has_names(record, network)],
    )


def _has_names(record: Json, network: Json) -> bool:
    """Whether Podman has a name server for a network: not for other drivers than bridge, nor without IPAM."""
    texts = [text for unit, text in record["units"].items() if units.services_of([unit]) == [network["service"]]]
    return bool(network["podman_bridge"]) and "\nIPAMDriver=none\n" not in "".join(texts)


def _not_ready(record: Json, docker: Docker, missing: Sequence[readiness.Lack], what: str, since: float) -> UserError:
    sentences = "; ".join(lack.sentence for lack in missing)
    logs = []
    for service in sorted({lack.service for lack in missing if lack.service}):
        text = _masked(record, docker, "\n".join(units.journal_tail(service, since - 1, _LOG_LINES)))
        logs.append("\nThe last lines of {0}:\n{1}".format(service, text[-_LOG_CHARACTERS:] or "(none)"))
    return UserError("It {0} on Podman: {1}.{2}".format(what, sentences, "".join(logs)))


def _masked(record: Json, docker: Docker, text: str) -> str:
    """A log without the environment values of the containers, and the secrets among their arguments and labels, should a
    program print its own."""
    try:
        documents = [docker.inspect(container["id"]) for container in record["containers"]]
    except DockerError:
        return "(not shown: Docker, which knows the values to hide, does not answer)"
    named = {secret.get("env") for secret in record["secrets"]}
    entries = [entry.partition("=") for document in documents for entry in document["Config"].get("Env") or []]
    secret = {value for name, _equals, value in entries if name in named or credentials.is_secret(name, value, ())}
    secret.update(credentials.of_document([document["Config"] for document in documents], record["rules"]))
    hidden = Hidden(secret.union(value for _name, _equals, value in entries))
    short = sorted((value for value in secret if 0 < len(value) < LEAST), key=len, reverse=True)

    def without(shown: str) -> str:
        for value in short:
            shown = shown.replace(value, MASK)
        return hidden.text(shown)

    # Twice: a colour may stand in the middle of a value, or be a part of it.
    return without(plain(without(text)))
