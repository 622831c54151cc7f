# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move does in Docker: restart policies held, containers stopped, and both brought back (private to the
collection)."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Callable, Iterable, Sequence

from .._common.command import CommandError, run
from .._common.errors import UserError
from .._common.json import Json
from .._common.parallel import each
from .._docker.api import Docker, DockerError, DockerNotFound, health_of, listed_name, process_of
from .._host import shims
from .._host.cgroups import Watch, is_deserted, watch
from .._plan._topics import datagrams, restart
from . import podman_services
from .move_record import running

_HEALTH_SECONDS, _CLEARING_SECONDS, _POLL_SECONDS, _TICK = 60.0, 5.0, 0.3, 0.01
# What Docker says when containerd still has something of the container, and what helps against all of that.
_OCCUPIED = re.compile("task .*: already exists|mkdir .*: file exists")
_CLEAR_UP = " containerd keeps rests of it, and clears up when it starts: run systemctl restart containerd."
NO_RESTART: Json = {"Name": "no", "MaximumRetryCount": 0}


class DockerSide:
    """The containers of a record in Docker."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._ended: set[str] = set()
        self._stops: dict[str, Future[None]] = {}
        self._starts: Json = {}

    def hold(self, record: Json) -> None:
        for container in record["containers"]:
            self._docker.set_restart_policy(container["id"], NO_RESTART)

    def are_restored(self, record: Json) -> bool:
        return all(
            restart.policy_name(document["HostConfig"].get("RestartPolicy")) == restart.policy_name(container["policy"])
            for container, document in self._there(record["containers"])
        )

    def restore(self, record: Json) -> None:
        """Give the containers the restart policies that they had."""
        _raise_all(self._restore_all(record))

    def _restore_all(self, record: Json) -> list[str]:
        return [self._restore(container) for container in record["containers"]]

    def _restore(self, container: Json) -> str:
        policy = container["policy"]
        return _try(self._docker.set_restart_policy, container["id"], policy if policy.get("Name") else NO_RESTART)

    def are_stopped(self, record: Json) -> bool:
        return not self.up(record["containers"])

    def up(self, containers: Iterable[Json]) -> list[str]:
        """The names of those that run; of one that is gone, whether what has its name now does."""
        return [item["name"] for item, document in self._there(containers) if is_up(document)]

    def gone(self, containers: Iterable[Json]) -> list[str]:
        """The names of those that Docker has no more."""
        return [item["name"] for item in containers if self._inspect(item["id"]) is None]

    def _there(self, containers: Iterable[Json]) -> list[tuple[Json, Any]]:
        """Containers with what Docker says of each; whoever creates one anew gives it the name of the old one."""
        found = [(item, self._inspect(item["id"]) or self._inspect(item["name"])) for item in containers]
        return [(item, document) for item, document in found if document]

    def _inspect(self, identity: str) -> Any:
        try:
            return self._docker.inspect(identity)
        except DockerNotFound:
            return None

    def stop(self, record: Json) -> None:
        """Stop them, and wait until Docker is through with that."""
        self.end(record)
        self.await_stopped(record)

    def end(self, record: Json, require: Callable[[Json], None] = lambda _left: None) -> Json:
        """Stop them in the reverse order of their start, independent ones at once. Returns when none of their processes is
        left, while Docker still takes down what they had: the moment of the first request, in seconds of the epoch.

        ``require`` is asked of those that are left, each time before some of them are stopped.
        """
        moment = {"at": time.time()}
        left = _layers(record)
        while left:
            require({"containers": [item for layer in left for item in layer]})
            self._end(running(left.pop()))
        return moment

    def _end(self, containers: Sequence[Json]) -> None:
        watched = each(self._watch, containers)
        pool = ThreadPoolExecutor(max(1, len(containers)))
        stops = [pool.submit(self._stop, item) for item in containers]
        pool.shutdown(wait=False)
        self._stops.update((item["id"], stop) for item, stop in zip(containers, stops))
        while not all(stop.done() or is_deserted(its) for stop, its in zip(stops, watched)):
            time.sleep(_TICK)
        for stop in stops:
            if stop.done():
                stop.result()

    def _watch(self, container: Json) -> Watch | None:
        document = self._inspect(container["id"])
        if not document:
            return None
        self._starts[container["id"]] = _started_at(document)
        return watch(process_of(document), container["id"])

    def await_stopped(self, record: Json) -> None:
        """Wait until Docker is through with all that it was told to stop. UserError when any of them runs then."""
        wait(self._stops.values())
        for stop in self._stops.values():
            stop.result()
        self.require_down(record)

    def last_starts(self, record: Json) -> Json:
        """When Docker has started each for the last time, by ID. UserError when one runs that is not about to stop."""
        # Asked about one of these, Docker would answer when it is through.
        under_way = {identity: self._starts.get(identity) for identity, stop in self._stops.items() if not stop.done()}
        found = self._there([item for item in record["containers"] if item["id"] not in under_way])
        _raise_up([item["name"] for item, document in found if is_up(document)])
        return {**under_way, **{item["id"]: _started_at(document) for item, document in found}}

    def require_unstarted(self, record: Json, starts: Json) -> None:
        """UserError when one was started since ``starts``, also when it has ended again: what it wrote was not copied."""
        found = self._there(record["containers"])
        anew = [item["name"] for item, document in found if _started_at(document) != starts.get(item["id"])]
        if anew:
            raise UserError(
                "Somebody started {0} in Docker after the data was copied, and what it wrote would be lost; while the "
                "workload moves, keep the timer, unit or person that does so from it.".format(", ".join(anew))
            )

    def _stop(self, container: Json) -> None:
        with suppress(DockerNotFound):
            self._docker.stop(container["id"], container["stop_timeout"])

    def require_unended(self, record: Json) -> None:
        """UserError when one has ended for good since the record was made: Podman would run it once more."""
        found = self._there(running(record["containers"]))
        ended = [item["name"] for item, document in found if _has_ended(item, document)]
        # An undo in this process does not do them again; where nothing was stopped yet, none does.
        self._ended.update(ended)
        if ended:
            raise UserError(
                "{0} has ended meanwhile; run the role assess again, which sees that.".format(", ".join(ended))
            )

    def without_ended(self, record: Json) -> Json:
        """The record without those that do not run and that Docker would not start again."""
        found = self._there(record["containers"])
        down = {item["name"] for item, document in found if restart.is_for_once(item["policy"]) and not is_up(document)}
        return {
            **record,
            "containers": [
                {**item, "running": item["running"] and item["name"] not in down} for item in record["containers"]
            ],
            "answered": [port for port in record["answered"] if port["container"] not in down],
        }

    def are_up(self, record: Json) -> bool:
        """Whether all that ran do so, also what may end when it has done its work."""
        wanted = running(record["containers"])
        return len(self.up(wanted)) == len(wanted)

    def are_resumed(self, record: Json) -> bool:
        return not self._down(record)

    def _down(self, record: Json) -> list[Json]:
        """Those that ran and do not run, but for what has done its work."""
        found = self._there(running(record["containers"]))
        return [item for item, document in found if not (is_up(document) or has_done(item, document))]

    def start(self, record: Json) -> None:
        """Start what ran, unless Podman still runs any of it."""
        podman_services.require_down(record)
        wanted = [item for item in running(record["containers"]) if item["name"] not in self._ended]
        _raise_all(self._start_all(record, wanted))

    def resume(self, record: Json) -> None:
        """Start what ran and does not run, but for what has done its work."""
        podman_services.require_down(record)
        _raise_all(self._start_all(record, self._down(record)))

    def keep_up(self, record: Json) -> None:
        """What the restart policies would do if they were not held: start again what has ended, unless Podman runs any."""
        ended = self._unattended(record)
        if ended:
            podman_services.require_down(record)
            each(self._start, ended)

    def _unattended(self, record: Json) -> list[Json]:
        found = self._there(running(record["containers"]))
        return [item for item, document in found if _restarts(item, document)]

    def _start_all(self, record: Json, wanted: Sequence[Json]) -> list[str]:
        layers = [[item for item in layer if item in wanted] for layer in _layers(record)]
        failures = []
        for number, layer in enumerate(layers):
            # One that cannot start, because its port is taken, keeps none of the others down.
            failures += each(self._start, layer)
            if any(restart.policy_name(item["policy"]) == "no" for later in layers[number + 1 :] for item in later):
                self._let_be_healthy(layer)
        for argv in datagrams.forget(record["ports"]):
            with suppress(CommandError):
                run(argv, check=False)
        return failures

    def _let_be_healthy(self, containers: Sequence[Json]) -> None:
        """Wait for those that were: who ends because they are not, and has no restart policy, has nobody to start it again."""
        deadline = time.monotonic() + _HEALTH_SECONDS
        wanted = [item for item in containers if item.get("healthy")]
        while time.monotonic() < deadline and any(health_of(seen) == "starting" for _item, seen in self._there(wanted)):
            time.sleep(_POLL_SECONDS)

    def _start(self, container: Json) -> str:
        said, until = _try(self._docker.start, container["id"]), time.monotonic() + _CLEARING_SECONDS
        # A dockerd that was killed has left its shim, behind which containerd needs a moment to clear up.
        while _OCCUPIED.search(said):
            if time.monotonic() > until:
                return said + _CLEAR_UP
            shims.end_deserted(container["id"])
            time.sleep(_POLL_SECONDS)
            said = _try(self._docker.start, container["id"])
        return said

    def end_stopping(self, record: Json) -> None:
        """Have what is still about to stop come to its end: until then it runs to Docker, which would not start it."""
        for layer in reversed(_layers(record)):
            # Whatever Docker says: another one is still about to stop, perhaps.
            each(lambda item: _try(self._docker.stop, item["id"], item["stop_timeout"]), running(layer))
        wait(self._stops.values())

    def give_back(self, record: Json) -> None:
        """Give the restart policies back, and start what they would have started meanwhile: after a power cut nothing runs,
        and what has ended since it was started again had nobody to start it.

        Not while Podman runs the workload: Docker would start it at its next start.
        """
        podman_services.require_down(record)
        _raise_all([*self._restore_all(record), *self._start_all(record, self._unattended(record))])

    def others(self, record: Json) -> list[str]:
        """The names of other containers that Docker runs on the volumes of the record."""
        ids = {item["id"] for item in record["containers"]}
        found = users(self._docker, record.get("docker_volumes", []))
        return [name for identity, name in found.items() if identity not in ids]

    def require_down(self, record: Json) -> None:
        """UserError while Docker runs any of the containers: never both engines."""
        _raise_up(self.up(record["containers"]))


def users(docker: Docker, volumes: Sequence[str], **query: Any) -> dict[str, str]:
    """The running containers that have one of the volumes, names by ID; with ``all=1`` those that do not run, too."""
    if not volumes:
        return {}
    found = docker.get("/containers/json", filters=json.dumps({"volume": list(volumes)}), **query)
    return {str(item["Id"]): listed_name(item) for item in found}


def _layers(record: Json) -> list[list[Json]]:
    by_name = {container["name"]: container for container in record["containers"]}
    return [[by_name[name] for name in layer] for layer in record["layers"]]


def is_up(document: Any) -> bool:
    return bool(document["State"].get("Running"))


def _started_at(document: Any) -> Any:
    return document["State"].get("StartedAt")


def has_done(container: Json, document: Any) -> bool:
    """Whether it has done what it was for, since somebody started it after the record was made: how a program ends that the
    move itself has stopped says nothing."""
    is_anew = _started_at(document) != container.get("started_at")
    return is_anew and restart.is_for_once(container["policy"]) and _ended_well(document)


def _has_ended(container: Json, document: Any) -> bool:
    """Whether it ended by itself, before it was stopped, and Docker would leave it so."""
    if is_up(document) or container.get("restarting"):
        return False
    return restart.policy_name(container["policy"]) == "no" or (
        restart.is_for_once(container["policy"]) and _ended_well(document)
    )


def _restarts(container: Json, document: Any) -> bool:
    """Whether Docker would start a container again that does not run."""
    is_over = is_up(document) or (restart.is_for_once(container["policy"]) and _ended_well(document))
    return restart.policy_name(container["policy"]) != "no" and not is_over


def _ended_well(document: Any) -> bool:
    return not is_up(document) and document["State"].get("ExitCode") == 0


def _raise_up(names: Sequence[str]) -> None:
    if names:
        raise UserError("Docker runs {0}; never both engines at once.".format(", ".join(names)))


def _try(action: Callable[..., None], *arguments: Any) -> str:
    """Why Docker does not do something; "" when it does. Nobody can do it to a container that is gone."""
    try:
        action(*arguments)
    except DockerNotFound:
        return ""
    except DockerError as error:
        return str(error)
    return ""


def _raise_all(failures: Sequence[str]) -> None:
    """UserError with what failed, when something did; all of it is tried first."""
    said = [failure for failure in failures if failure]
    if said:
        raise UserError(" ".join(said))
