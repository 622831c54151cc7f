# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cutover of one workload: its steps, in the order that loses nothing (private to the collection).

What an undo needs is in the note of the step ``record``, so that an interrupted cutover can be undone without the plan.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _firewall as firewall
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _ready as ready
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _rounds as rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _units as units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import Docker, DockerNotFound, part
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import EngineState
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.quadlet import without_install
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._reach import Outside
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._rounds import Trees
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._transaction import Data, Notes, Step
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import is_adopted, trees

ENABLE = "enable_units"
_OWNER_LABEL = "podshift.docker_to_podman.container"
_STOPPED: Data = {"Name": "no", "MaximumRetryCount": 0}
_POLL_SECONDS = 0.3
_LOG_LINES = 50
_LOG_CHARACTERS = 4000
# Shorter values ("1", "true") would black out half of every log.
_SECRET_LENGTH = 6


class CutoverError(Exception):
    """The workload cannot be moved, or is not ready on Podman. The message says what to do."""


def never() -> bool:
    """``done`` of a step that has to be done each time."""
    return False


def nothing(_notes: Notes) -> None:
    """``undo`` of a step that leaves nothing behind."""


def running(containers: Iterable[Data]) -> list[Data]:
    return [container for container in containers if container["running"]]


def each(action: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """The same for several things at once; the first error is raised when all are through."""
    with ThreadPoolExecutor(max(1, len(items))) as pool:
        return [result.result() for result in [pool.submit(action, item) for item in items]]


class Cutover:
    """The steps for one workload of the plan. ``ready_timeout`` is in seconds."""

    def __init__(
        self,
        plan: Data,
        engine: EngineState,
        workload: Data,
        docker: Docker,
        outside: Outside,
        ready_timeout: float = 120,
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._workload = workload
        self._docker = docker
        self._outside = outside
        self._ready_timeout = ready_timeout
        self._documents: dict[str, Data] = {}
        self._trees: list[Trees] = []
        self._stopped_at = 0.0
        self.downtime = 0.0
        """From the first request to stop until ready, in seconds."""

    def steps(self) -> list[Step]:
        """Everything up to the commit."""
        return [
            Step("record", never, self._record, nothing),
            Step("create_secrets", self._no_secrets, self._create_secrets, self._remove_secrets),
            Step("install_units", self._units_installed, self._install_units, self._remove_units),
            Step("hold_restarts", self._restarts_held, self._hold_restarts, self._restore_restarts),
            Step("stop_docker", self._docker_stopped, self._stop_docker, self._start_docker),
            Step("sync_volumes", never, self._sync_volumes, nothing),
            Step("free_addresses", self._addresses_free, self._free_addresses, self._put_addresses_back),
            Step("open_forward", self._forward_open, self._open_forward, self._close_forward),
            Step("start_podman", self._podman_started, self._start_podman, self._stop_podman),
            Step("wait_ready", never, self._wait_ready, nothing),
        ]

    def steps_after(self, committed: bool, settled: bool) -> list[Step]:
        """What follows the commit.

        ``committed``: it was before this run, so that a reboot may lie between. ``settled``: it was brought to its end
        then, and only units that are missing are written again.
        """
        start = Step("start_services", self._podman_started, self._start_podman, nothing)
        enable = Step(
            ENABLE, lambda: settled and not self._to_enable(settled), lambda _notes: self._enable(settled), nothing
        )
        return [start, enable] if committed and not settled else [enable]

    def commit(self) -> Data:
        """The data of the commit's record."""
        ids = [container["id"] for container in self._workload["containers"]]
        return {"containers": ids, "downtime": self.downtime}

    def require_as_planned(self) -> None:
        """CutoverError unless Docker still runs exactly what the plan was made from. Reads only."""
        for container in self._workload["containers"]:
            try:
                document = self._docker.inspect(container["id"])
            except DockerNotFound:
                raise self._outdated("{0} is not the container it was".format(container["name"])) from None
            is_running = bool(document["State"].get("Running") or document["State"].get("Restarting"))
            if document["Name"].lstrip("/") != container["name"]:
                raise self._outdated("{0} has another name now".format(container["name"]))
            if is_running != container["running"]:
                now = "runs" if is_running else "does not run"
                raise self._outdated("{0} {1} now".format(container["name"], now))
            self._documents[container["id"]] = document
        self._require_no_newcomers()

    def _require_no_newcomers(self) -> None:
        ids = {container["id"] for container in self._workload["containers"]}
        for network in (item for item in self._workload["networks"] if item["docker_id"]):
            attached = self._docker.get("/networks/" + part(network["docker_id"])).get("Containers") or {}
            strangers = sorted(str(item.get("Name")) for key, item in attached.items() if key not in ids)
            if strangers:
                raise self._outdated("{0} joined network {1}".format(strangers[0], network["docker_name"]))

    def _outdated(self, what: str) -> CutoverError:
        return CutoverError("The plan is outdated: {0}; run the role assess again. Nothing was changed.".format(what))

    def require_staged(self) -> None:
        """CutoverError unless Podman has all that the units need, and the place of the units is free. Reads only."""
        self._require_own_units()
        wanted = [("image", image["unit_ref"]) for image in self._workload["images"]]
        wanted += [("volume", volume["name"]) for volume in self._workload["volumes"] if not is_adopted(volume)]
        for kind, name in wanted:
            if run(["podman", kind, "exists", name], check=False).rc != 0:
                raise CutoverError(
                    "Podman has no {0} {1}; run the role stage first. Nothing was changed.".format(kind, name)
                )
        for name, owner in self._secret_owners().items():
            if _secret_exists(name) and not _is_secret_of(name, [owner]):
                raise CutoverError(
                    "Podman has a secret {0} that is not Docker's; rename it. Nothing was changed.".format(name)
                )
        # Looked up here, because nothing that can be known before costs time inside the window.
        self._trees = trees(self._plan, self._engine, self._workload)

    def _require_own_units(self) -> None:
        for name, text in units.read(self._workload["units"]).items():
            if text not in (self._asleep()[name], self._workload["units"][name]):
                path = "{0}/{1}".format(units.UNIT_DIR, name)
                raise CutoverError(
                    "{0} exists and is not of this plan; move it away and run this again. Nothing was changed.".format(
                        path
                    )
                )

    def whereabouts(self) -> str:
        """Which engine runs what of the workload, in a sentence."""
        containers = self._workload["containers"]
        states = units.services([container["service"] for container in containers])
        podman = [
            item["name"] for item in containers if item["service"] in states and not states[item["service"]].is_down
        ]
        docker = [container["name"] for container in containers if _is_running(self._docker, container)]
        return "Docker runs {0}, Podman runs {1}.".format(", ".join(docker) or "none", ", ".join(podman) or "none")

    # record

    def _record(self, _notes: Notes) -> Data:
        for container in self._workload["containers"]:
            self._documents.setdefault(container["id"], self._docker.inspect(container["id"]))
        return {
            "containers": [{**container, **self._docker_view(container)} for container in self._workload["containers"]],
            "layers": self._workload["layers"],
            "units": sorted(self._workload["units"]),
            "secrets": [secret["name"] for secret in self._workload["secrets"]],
            "networks": [{**network, **self._network_view(network)} for network in self._workload["networks"]],
            "answered": self._outside.answering([port for port in self._workload["ports"] if port["proto"] == "tcp"]),
            "workload": self._workload["name"],
        }

    def _docker_view(self, container: Data) -> Data:
        document = self._documents[container["id"]]
        health = (document["State"].get("Health") or {}).get("Status")
        return {
            "policy": document["HostConfig"].get("RestartPolicy") or _STOPPED,
            "healthy": health == "healthy",
            "restarting": bool(document["State"].get("Restarting")),
        }

    def _network_view(self, network: Data) -> Data:
        exists = run(["podman", "network", "exists", network["name"]], check=False).rc == 0
        return {"addresses": _addresses(network["bridge"]), "existed": exists}

    # create_secrets

    def _secret_owners(self) -> dict[str, str]:
        """The ID of the Docker container that each secret comes from."""
        ids = {container["name"]: container["id"] for container in self._workload["containers"]}
        return {secret["name"]: ids[secret["container"]] for secret in self._workload["secrets"]}

    def _no_secrets(self) -> bool:
        return not self._workload["secrets"]

    def _create_secrets(self, _notes: Notes) -> None:
        """The values come from Docker and go through a pipe: no record and no process list shows them."""
        owners = self._secret_owners()
        for secret in self._workload["secrets"]:
            name, owner = secret["name"], owners[secret["name"]]
            entries = [entry.partition("=") for entry in self._documents[owner]["Config"]["Env"]]
            values = [value for variable, _equals, value in entries if variable == secret["env"]]
            label = "--label={0}={1}".format(_OWNER_LABEL, owner)
            run(["podman", "secret", "create", "--replace", label, name, "-"], input=values[-1])

    def _remove_secrets(self, notes: Notes) -> None:
        owners = [container["id"] for container in notes["record"]["containers"]]
        for name in notes["record"]["secrets"]:
            if _secret_exists(name) and _is_secret_of(name, owners):
                run(["podman", "secret", "rm", name])

    # install_units

    def _asleep(self) -> dict[str, str]:
        return {name: without_install(text) for name, text in self._workload["units"].items()}

    def _units_installed(self) -> bool:
        return units.read(self._workload["units"]) == self._asleep()

    def _install_units(self, _notes: Notes) -> None:
        units.install(self._asleep())
        units.require_known(sorted(self._workload["units"]))

    def _remove_units(self, notes: Notes) -> None:
        units.remove(notes["record"]["units"])

    # hold_restarts

    def _restarts_held(self) -> bool:
        documents = [self._docker.inspect(container["id"]) for container in self._workload["containers"]]
        return all(_policy(document) in ("", "no") for document in documents)

    def _hold_restarts(self, notes: Notes) -> None:
        for container in notes["record"]["containers"]:
            self._docker.set_restart_policy(container["id"], _STOPPED)

    def _restore_restarts(self, notes: Notes) -> None:
        for container in notes["record"]["containers"]:
            policy = container["policy"]
            self._docker.set_restart_policy(container["id"], policy if policy.get("Name") else _STOPPED)

    # stop_docker

    def _docker_stopped(self) -> bool:
        return not any(_is_running(self._docker, container) for container in self._workload["containers"])

    def _stop_docker(self, notes: Notes) -> Data:
        self._stopped_at = time.monotonic()
        for layer in reversed(_layers(notes["record"])):
            each(lambda container: self._docker.stop(container["id"], container["stop_timeout"]), running(layer))
        if not self._docker_stopped():
            raise CutoverError("Docker did not stop all containers; see what it does (journalctl -u docker).")
        return {"at": time.time()}

    def _start_docker(self, notes: Notes) -> None:
        services = [container["service"] for container in notes["record"]["containers"]]
        up = [str(service) for service in units.services(services).values() if not service.is_down]
        if up:
            # Never both engines: two databases on one volume are worse than none.
            raise CutoverError("Docker's containers were not started, because {0}.".format("; ".join(up)))
        for layer in _layers(notes["record"]):
            each(lambda container: self._docker.start(container["id"]), running(layer))

    # sync_volumes

    def _sync_volumes(self, _notes: Notes) -> Data:
        stats = each(rounds.final, self._trees)
        return {trees.name: {"files": done.files, "bytes": done.bytes} for trees, done in zip(self._trees, stats)}

    # free_addresses

    def _addresses_free(self) -> bool:
        return not any(_addresses(network["bridge"]) for network in self._workload["networks"])

    def _free_addresses(self, notes: Notes) -> None:
        for network in notes["record"]["networks"]:
            for address in _addresses(network["bridge"]):
                run(["ip", "address", "delete", address["local"], "dev", network["bridge"]])

    def _put_addresses_back(self, notes: Notes) -> None:
        for network in notes["record"]["networks"]:
            for address in network["addresses"]:
                broadcast = ["broadcast", address["broadcast"]] if address["broadcast"] else []
                argv = ["ip", "address", "replace", address["local"], *broadcast, "dev", network["bridge"]]
                run(argv)

    # open_forward

    def _bridges(self) -> list[str]:
        """The bridges of Podman that this workload's traffic crosses; podman0 is that of its default network."""
        own = [network["podman_bridge"] for network in self._workload["networks"] if network["podman_bridge"]]
        texts = [text for name, text in self._workload["units"].items() if name.endswith(".container")]
        return own + (["podman0"] if any(_is_on_default_network(text) for text in texts) else [])

    def _passages(self) -> dict[str, str]:
        return {
            family: firewall.passage(firewall.read(family), self._workload["name"], self._bridges())
            for family in firewall.FAMILIES
        }

    def _forward_open(self) -> bool:
        return not any(self._passages().values())

    def _open_forward(self, _notes: Notes) -> None:
        for family, script in self._passages().items():
            firewall.apply(family, script)

    def _close_forward(self, notes: Notes) -> None:
        for family in firewall.FAMILIES:
            firewall.apply(family, firewall.passage_back(firewall.read(family), notes["record"]["workload"]))

    # start_podman

    def _services(self) -> list[str]:
        wanted = [container["service"] for container in running(self._workload["containers"])]
        return list(dict.fromkeys([*self._workload["services"], *wanted]))

    def _podman_started(self) -> bool:
        states = units.services(self._services())
        return all(service.is_active for service in states.values())

    def _start_podman(self, _notes: Notes) -> None:
        units.start(self._services())

    def _stop_podman(self, notes: Notes) -> None:
        units.stop(units.services_of(notes["record"]["units"]))
        for network in notes["record"]["networks"]:
            exists = run(["podman", "network", "exists", network["name"]], check=False).rc == 0
            if exists and not network["existed"]:
                run(["podman", "network", "rm", network["name"]])
            # A container that could not be connected leaves Netavark's bridge behind, with the address that Docker needs.
            bridge = network["podman_bridge"]
            if bridge and not network["existed"] and _link_exists(bridge):
                run(["ip", "link", "delete", bridge, "type", "bridge"])

    # wait_ready

    def _wait_ready(self, notes: Notes) -> Data:
        expected = self._expected(notes["record"])
        began = time.time()
        deadline = time.monotonic() + self._ready_timeout
        missing = ready.lacks(expected, self._outside)
        while missing:
            if any(lack.hopeless for lack in missing):
                raise self._not_ready(missing, "will not come up", began)
            if time.monotonic() > deadline:
                raise self._not_ready(missing, "was not ready within {0:g} s".format(self._ready_timeout), began)
            time.sleep(_POLL_SECONDS)
            missing = ready.lacks(expected, self._outside)
        self.downtime = round(time.monotonic() - self._stopped_at, 2) if self._stopped_at else 0.0
        return {"downtime": self.downtime}

    def _expected(self, record: Data) -> ready.Expected:
        # What Docker had to start again and again need not run better now.
        members = [member for member in running(record["containers"]) if not member["restarting"]]
        ailing = [member["service"] for member in record["containers"] if member["restarting"]]
        services = units.services_of(record["units"])
        published: dict[str, list[int]] = {}
        for port in self._workload["ports"]:
            published.setdefault(port["container"], []).append(port["container_port"])
        listening = {
            member["name"]: [
                socket for socket in member["listening"] if ready.is_lasting(socket, published.get(member["name"], []))
            ]
            for member in members
        }
        return ready.Expected(
            owners={member["name"]: member["service"] for member in members},
            services=[service for service in services if service not in ailing],
            healthy=[member["name"] for member in members if member["health"] and member["healthy"]],
            listening=listening,
            ports=record["answered"],
        )

    def _not_ready(self, missing: Sequence[ready.Lack], what: str, since: float) -> CutoverError:
        sentences = "; ".join(lack.sentence for lack in missing)
        logs = []
        for service in sorted({lack.service for lack in missing if lack.service}):
            text = "\n".join(units.journal_tail(service, since - 1, _LOG_LINES))[-_LOG_CHARACTERS:]
            logs.append("\nThe last lines of {0}:\n{1}".format(service, self._masked(text) or "(none)"))
        return CutoverError("It {0} on Podman: {1}.{2}".format(what, sentences, "".join(logs)))

    def _masked(self, text: str) -> str:
        """A log without the environment values of the containers, should a program print its own."""
        entries = [entry for document in self._documents.values() for entry in document["Config"].get("Env") or []]
        values = {entry.partition("=")[2] for entry in entries}
        for value in sorted(values, key=len, reverse=True):
            text = text.replace(value, "********") if len(value) >= _SECRET_LENGTH else text
        return text

    # after the commit

    def _to_enable(self, settled: bool) -> dict[str, str]:
        """The units to write. In a settled workload what the administrator has changed since is theirs."""
        installed = units.read(self._workload["units"])
        return {
            name: text
            for name, text in self._workload["units"].items()
            if installed.get(name) != text
            and (not settled or name not in installed or installed[name] == self._asleep()[name])
        }

    def _enable(self, settled: bool) -> Data:
        wanted = self._to_enable(settled)
        units.install(wanted)
        return {"units": sorted(wanted)}


def _is_on_default_network(unit: str) -> bool:
    """Whether Podman would put a container with this unit on its default network."""
    lines = unit.splitlines()
    named = [line.partition("=")[2].split(":")[0] for line in lines if line.startswith(("Network=", "Pod="))]
    return not named or bool({"podman", "bridge"}.intersection(named))


def _secret_exists(name: str) -> bool:
    return run(["podman", "secret", "exists", name], check=False).rc == 0


def _is_secret_of(name: str, owners: Sequence[str]) -> bool:
    template = '{{index .Spec.Labels "' + _OWNER_LABEL + '"}}'
    return run(["podman", "secret", "inspect", "--format", template, name]).stdout.strip() in owners


def _layers(record: Data) -> list[list[Data]]:
    by_name = {container["name"]: container for container in record["containers"]}
    return [[by_name[name] for name in layer] for layer in record["layers"]]


def _policy(document: Data) -> str:
    return str((document["HostConfig"].get("RestartPolicy") or {}).get("Name") or "")


def _is_running(docker: Docker, container: Data) -> bool:
    return bool(docker.inspect(container["id"])["State"].get("Running"))


def _link_exists(name: str) -> bool:
    return run(["ip", "link", "show", "dev", name], check=False).rc == 0


def _addresses(bridge: str) -> list[Data]:
    """The addresses that others can reach on a bridge, in the form of ip-address(8); none when it is not there."""
    if not bridge:
        return []
    shown = run(["ip", "-json", "address", "show", "dev", bridge, "scope", "global"], check=False)
    if shown.rc != 0:
        return []
    return [
        {"local": "{0}/{1}".format(item["local"], item["prefixlen"]), "broadcast": item.get("broadcast", "")}
        for link in json.loads(shown.stdout or "[]")
        for item in link.get("addr_info", [])
        # ip prints empty objects for what it filtered out.
        if "local" in item
    ]
