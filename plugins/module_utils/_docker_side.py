# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move does in Docker: restart policies held, containers stopped, and both brought back (private to the
collection)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Callable, Iterable, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _podman_side as podman
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import CommandError, run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import Docker, DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move_error import MoveError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import datagrams
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._transaction import Data

NO_RESTART: Data = {"Name": "no", "MaximumRetryCount": 0}


def running(containers: Iterable[Data]) -> list[Data]:
    """Those that ran under Docker when the record was made."""
    return [container for container in containers if container["running"]]


def each(action: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """The same for several things at once; the first error is raised when all are through."""
    with ThreadPoolExecutor(max(1, len(items))) as pool:
        return [result.result() for result in [pool.submit(action, item) for item in items]]


class DockerSide:
    """The containers of a record in Docker."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    def are_held(self, record: Data) -> bool:
        documents = [self._docker.inspect(container["id"]) for container in record["containers"]]
        return all(_policy(document) in ("", "no") for document in documents)

    def hold(self, record: Data) -> None:
        for container in record["containers"]:
            self._docker.set_restart_policy(container["id"], NO_RESTART)

    def are_restored(self, record: Data) -> bool:
        return all(
            _policy(self._docker.inspect(container["id"])) == (container["policy"].get("Name") or "no")
            for container in record["containers"]
        )

    def restore(self, record: Data) -> None:
        """Give the containers the restart policies that they had."""
        for container in record["containers"]:
            policy = container["policy"]
            self._docker.set_restart_policy(container["id"], policy if policy.get("Name") else NO_RESTART)

    def are_stopped(self, record: Data) -> bool:
        return not self.up(record["containers"])

    def up(self, containers: Iterable[Data]) -> list[str]:
        """The names of those that run."""
        return [item["name"] for item in containers if self._docker.inspect(item["id"])["State"].get("Running")]

    def stop(self, record: Data) -> Data:
        """In the reverse order of their start, independent ones at once. Returns the moment, in seconds of the epoch."""
        moment = {"at": time.time()}
        for layer in reversed(_layers(record)):
            each(lambda container: self._docker.stop(container["id"], container["stop_timeout"]), running(layer))
        if not self.are_stopped(record):
            raise MoveError("Docker did not stop all containers; see what it does (journalctl -u docker).")
        return moment

    def are_started(self, record: Data) -> bool:
        return {item["name"] for item in running(record["containers"])} <= set(self.up(record["containers"]))

    def start(self, record: Data) -> None:
        """Start what ran, unless Podman still runs any of it."""
        podman.require_down(record)
        self._start_all(record)

    def _start_all(self, record: Data) -> None:
        # One that cannot start, because its port is taken, keeps none of the others down.
        failures = [said for layer in _layers(record) for said in each(self._start, running(layer)) if said]
        for argv in datagrams.forget(record["ports"]):
            with suppress(CommandError):
                run(argv, check=False)
        if failures:
            raise MoveError(" ".join(failures))

    def _start(self, container: Data) -> str:
        """Why a container does not start; "" when it does."""
        try:
            self._docker.start(container["id"])
        except DockerError as error:
            return str(error)
        return ""

    def end_stopping(self, record: Data) -> None:
        """Have what is still about to stop come to its end: until then it runs to Docker, which would not start it."""
        with suppress(DockerError, MoveError):
            self.stop(record)

    def give_back(self, record: Data) -> None:
        """Start what ran, and give the restart policies back.

        In this order: after a power cut nothing runs, whatever was undone before it; and while Podman runs the workload,
        Docker must not start it at its next start.
        """
        podman.require_down(record)
        try:
            self._start_all(record)
        finally:
            self.restore(record)

    def require_down(self, record: Data) -> None:
        """MoveError while Docker runs any of the containers: never both engines."""
        up = self.up(record["containers"])
        if up:
            raise MoveError("Docker runs {0}; never both engines at once.".format(", ".join(up)))


def _layers(record: Data) -> list[list[Data]]:
    by_name = {container["name"]: container for container in record["containers"]}
    return [[by_name[name] for name in layer] for layer in record["layers"]]


def _policy(document: Data) -> str:
    return str((document["HostConfig"].get("RestartPolicy") or {}).get("Name") or "")
