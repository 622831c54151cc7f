# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in memory, for the order of a cutover and its way back: what Docker, Podman, systemd and the kernel hold.

It refuses what a real host refuses: two containers on one port, a network on a subnet that is taken.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError, Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import DockerError, DockerNotFound
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host import bridges, cgroups
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import rollback
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import addresses, iptables, port_gate
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman import objects, storage, units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.engine_state import EngineState
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import write_json
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError, TreeStats
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import locate, rounds, space
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import (
    coexistence,
    docker_containers,
    podman_services,
    precheck,
    readiness,
    warm_up,
)
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_iptables import restore

PASSWORD = "correct horse battery"
GREETING = "welcome to the blog"
BRIDGE = "br-0123456789ab"
DOCKERS_RULES = """\
*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
-A DOCKER-USER -j RETURN
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.18.0.0/16 ! -o br-0123456789ab -j MASQUERADE
COMMIT
"""
PORT = {"container": "web", "host_ip": "", "host_port": 8080, "proto": "tcp", "container_port": 80}


def container(name: str, running: bool = True, listening: int = 80) -> dict[str, Any]:
    return {
        "name": name,
        "id": name + "-id",
        "service": name + ".service",
        "running": running,
        "restart": "always",
        "health": name == "db",
        "stop_timeout": 10,
        "listening": [{"proto": "tcp", "address": "0.0.0.0", "port": listening}] if running else [],
    }


def unit(section: str, body: str) -> str:
    return "[{0}]\n{1}\n\n[Install]\nWantedBy=multi-user.target\n".format(section, body)


def engine_state(folder: Path) -> EngineState:
    """The records of an engine that was assessed."""
    state = EngineState(folder / "state" / "engine-id")
    write_json(state.root / "engine.json", {"format": 1, "id": "engine-id", "socket": "/run/docker.sock"})
    return state


def plan() -> dict[str, Any]:
    workload = {
        "name": "blog",
        "pod": "blog",
        "containers": [container("db", listening=5432), container("web"), container("job", running=False)],
        "layers": [["db"], ["web", "job"]],
        "services": ["db.service", "web.service"],
        "units": {
            "db.container": unit("Container", 'Network=blog.network\nEnvironment="GREETING={0}"'.format(GREETING)),
            "web.container": unit("Container", "Network=blog.network"),
            "job.container": "[Container]\nNetwork=blog.network\n",
            "blog.network": "[Network]\nNetworkName=blog\n",
            "data.volume": "[Volume]\nVolumeName=data\n",
        },
        "images": [{"unit_ref": "docker.io/blog/web:1"}],
        "volumes": [{"name": "data", "docker_name": "data"}],
        "networks": [
            {
                "name": "blog",
                "docker_name": "blog",
                "docker_id": "net-id",
                "bridge": BRIDGE,
                "podman_bridge": "pm-1",
                "service": "blog-network.service",
            }
        ],
        "ports": [PORT],
        "secrets": [{"name": "db-PASSWORD", "container": "db", "env": "PASSWORD"}],
    }
    shown = {name: text.replace(GREETING, "********") for name, text in workload["units"].items()}
    return {
        "format": 1,
        "hash": "plan-hash",
        "engine": {"id": "engine-id", "data_root": "/var/lib/docker"},
        "workloads": [{**workload, "shown": {"units": shown}}],
        "findings": [],
        "policy": {},
    }


def full_disk(path: Path, _event: Any) -> None:
    """In place of what writes a journal."""
    raise OSError(28, "No space left on device", str(path))


class Host:
    """``broken``: events that fail, for example ``stop web`` or ``start db.service``; ``log``: the events in order."""

    def __init__(self) -> None:
        self.docker = {
            item["id"]: {
                "Name": "/" + item["name"],
                "State": {"Running": item["running"], "Health": {"Status": "healthy"} if item["health"] else None},
                "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}},
                "Config": {"Env": ["PASSWORD=" + PASSWORD, "GREETING=" + GREETING, "A=1"]},
                "NetworkSettings": {"Networks": {"blog": {}}},
                "Mounts": [{"Name": "data"}],
            }
            for item in plan()["workloads"][0]["containers"]
        }
        self.addresses = {BRIDGE: ["172.18.0.1/16"]}
        self.networks: list[str] = []
        self.pods: list[str] = []
        self.secrets: dict[str, tuple[str, str]] = {}
        self.links: list[str] = []
        self.rehearsals: list[str] = []
        self.missing = ""
        self.created: list[str] = []
        self.starts = 0
        self.services: list[str] = []
        self.ended: dict[str, str] = {}
        self.bridge_ports: dict[str, list[str]] = {}
        self.rules = iptables.parse(DOCKERS_RULES)
        self.gate = ""
        self.synced: list[str] = []
        self.lacks: list[readiness.Lack] = []
        self.differences: list[str] = []
        self.broken: set[str] = set()
        self.fragile: dict[str, int] = {}
        self.log: list[str] = []

    def event(self, what: str, error: type[Exception] = CommandError) -> None:
        self.log.append(what)
        if what in self.broken:
            raise error(what + " failed.")

    def state(self, folder: Path) -> Any:
        """All that an undo has to bring back."""
        state = ("Running", "Health")
        held = (
            {
                item: {**document, "State": {key: document["State"].get(key) for key in state}}
                for item, document in self.docker.items()
            },
            self.addresses,
            self.networks,
            self.pods,
            self.secrets,
            self.links,
            self.rehearsals,
            self.services,
            self.rules,
            self.gate,
            sorted(_files(folder)),
            sorted(_files(Path(coexistence.UNIT_DIR))),
        )
        return copy.deepcopy(held)

    def install(self, monkeypatch: Any, unit_dir: Path) -> None:
        """Take the place of the edges to the real host."""
        for module in (addresses, coexistence, docker_containers, objects, port_gate, podman_services, units):
            monkeypatch.setattr(module, "run", self.run)
        monkeypatch.setattr(iptables, "read", lambda family: copy.deepcopy(self.rules) if family == "iptables" else {})
        monkeypatch.setattr(iptables, "apply", self.apply)
        monkeypatch.setattr(cgroups, "processes_in", lambda _units: [])
        monkeypatch.setattr(addresses, "links", lambda: ["eth0", BRIDGE])
        monkeypatch.setattr(coexistence, "UNIT_DIR", str(unit_dir.parent / "system"))
        monkeypatch.setattr(bridges, "ports", lambda: self.bridge_ports)
        monkeypatch.setattr(units.read, "__defaults__", (str(unit_dir),))
        monkeypatch.setattr(units.install, "__defaults__", (str(unit_dir),))
        monkeypatch.setattr(units.remove, "__defaults__", (str(unit_dir),))
        monkeypatch.setattr(locate, "trees", lambda *_plan: [rounds.Trees("data", "/from", "/to", None)])
        monkeypatch.setattr(rounds, "warm", self.warm)
        monkeypatch.setattr(rounds, "final", self.sync)
        monkeypatch.setattr(rollback, "measure", lambda _source: space.Extent())
        monkeypatch.setattr(precheck, "storage", lambda: storage.Storage("/graph", "/graph/volumes"))
        monkeypatch.setattr(readiness, "lacks", lambda *_expected: self.lacks)
        monkeypatch.setattr(warm_up, "run", self.rehearse)
        monkeypatch.setattr(warm_up, "routes", lambda _version: [])
        monkeypatch.setattr(warm_up, "SCRATCH_DIR", str(unit_dir.parent / "scratch"))
        self.unit_dir = unit_dir

    # Docker

    def container(self, item: str) -> Any:
        """By its ID or its name."""
        found = [document for number, document in self.docker.items() if item in (number, document["Name"].lstrip("/"))]
        if not found:
            raise DockerNotFound("no such container")
        return found[0]

    def create_anew(self, name: str) -> None:
        """As ``docker compose up`` does: what has the name gets another ID, and runs."""
        old = self.docker.pop(name + "-id")
        policy = {"Name": "always", "MaximumRetryCount": 0}
        self.docker["new-" + name] = {**old, "State": {"Running": True}, "HostConfig": {"RestartPolicy": policy}}

    @property
    def version(self) -> Any:
        self.event("version", DockerError)
        return {"ApiVersion": "1.45"}

    def inspect(self, item: str) -> Any:
        return copy.deepcopy(self.container(item))

    def get(self, path: str, filters: str = "{}", all: int = 0) -> Any:
        if path == "/containers/json":
            volumes = json.loads(filters).get("volume")
            return [
                {"Id": item, "Names": [document["Name"]]}
                for item, document in self.docker.items()
                if (all or document["State"]["Running"]) and _has_one(document, volumes)
            ]
        return {"Containers": {item: {"Name": item} for item in self.docker if self.docker[item]["State"]["Running"]}}

    def stop(self, item: str, timeout: int) -> None:
        assert timeout == 10
        if not self.container(item)["State"]["Running"]:
            return
        self.event("stop " + item[:-3], DockerError)
        # Most programs end well when they are asked to.
        self.container(item)["State"].update(Running=False, ExitCode=0)

    def start(self, item: str) -> None:
        if self.container(item)["State"]["Running"]:
            return
        self.event("start " + item[:-3], DockerError)
        assert not self.services, "both engines at once"
        assert self.addresses[BRIDGE], "the bridge has no address"
        if self.links:
            raise DockerError("another bridge has the same address")
        self.starts += 1
        state = self.container(item)["State"]
        state.update(Running=not self.ends_at_once(item), ExitCode=0, StartedAt=str(self.starts))
        if not state["Running"]:
            state["ExitCode"] = 1

    def ends_at_once(self, item: str) -> bool:
        """Its database is not ready at the first tries, and without a restart policy nobody starts it again."""
        if self.container(item)["HostConfig"]["RestartPolicy"]["Name"] != "no":
            return False
        self.fragile[item] = self.fragile.get(item, 0) - 1
        return self.fragile[item] >= 0

    def set_restart_policy(self, item: str, policy: Any) -> None:
        self.event("policy {0} {1}".format(item[:-3], policy["Name"]), DockerError)
        self.container(item)["HostConfig"]["RestartPolicy"] = dict(policy)

    # the host

    def answering(self, ports: Any) -> Any:
        return list(ports)

    def warm(self, trees: rounds.Trees) -> TreeStats:
        self.event("warm")
        assert self.docker_runs() or self.services, "nobody is served meanwhile"
        return TreeStats(1, 10, 0.1, 1)

    def docker_runs(self) -> bool:
        return any(item["State"]["Running"] for item in self.docker.values())

    def sync(self, trees: rounds.Trees) -> TreeStats:
        self.event("sync")
        is_kept = "/kept/" in trees.destination
        assert is_kept or not (self.docker_runs() or self.services), "copied while it was written"
        if self.differences:
            raise TreeError("Volume {0} differs from Docker's: {1}".format(trees.name, self.differences))
        return TreeStats(1, 10, 0.1, 1)

    def apply(self, family: str, script: str) -> None:
        if script:
            self.event("firewall")
            assert family == "iptables"
            self.rules = restore(self.rules, script)

    def run(self, argv: Any, check: bool = True, input: str = "", timeout: float = 0) -> Completed:
        assert PASSWORD not in " ".join(argv), "every process list shows it"
        self.input = input
        is_secret = argv[:2] == ["podman", "secret"]
        answer = (
            self._secret(argv[2], argv[3:], input)
            if is_secret
            else getattr(self, "_" + Path(argv[0]).name.replace("-", "_"))(*argv[1:])
        )
        if check and answer.rc:
            raise CommandError(" ".join(argv) + " failed.")
        return answer

    def _ip(self, *words: str) -> Completed:
        if "link" in words:
            if words[1] == "delete":
                self.event("link delete")
                self.links.remove(words[2])
            return Completed(0 if words[-1] in self.links or words[1] == "delete" else 1, "", "")
        if words[:3] == ("address", "flush", "label") and words[4:] == ("scope", "global"):
            if self.addresses.get(words[3]):
                self.event("address delete")
                self.addresses[words[3]] = []
            return Completed(0, "", "")
        bridge = words[-1] if words[-2] == "dev" else words[4]
        if "show" in words:
            items = [{"local": a.split("/")[0], "prefixlen": int(a.split("/")[1])} for a in self.addresses[bridge]]
            return Completed(0, json.dumps([{}, {"addr_info": [{}, *items]}]), "")
        self.event("address " + words[1])
        if words[1] == "delete":
            self.addresses[bridge].remove(words[2])
        elif words[2] not in self.addresses[bridge]:
            self.addresses[bridge].append(words[2])
        return Completed(0, "", "")

    def _nft(self, *_words: str) -> Completed:
        is_closed = "chain" in self.input
        if is_closed or self.gate:
            self.event("gate " + ("closed" if is_closed else "open"))
        self.gate = self.input if is_closed else ""
        return Completed(0, "", "")

    def _conntrack(self, *words: str) -> Completed:
        self.event("forget " + words[-1])
        return Completed(1, "", "0 flow entries have been deleted.")

    def _sync(self, *words: str) -> Completed:
        self.synced += [word for word in words if not word.startswith("-")]
        return Completed(0, "", "")

    def _podman(self, kind: str, verb: str, *words: str) -> Completed:
        name = words[-1]
        if (kind, verb) == ("pod", "rm"):
            self.pods = [pod for pod in self.pods if pod != name]
        if kind != "network":
            return Completed(1 if kind == self.missing else 0, "", "")
        if verb == "rm" and self.pods:
            return Completed(2, "", "has associated containers with it")
        if verb == "rm":
            self.event("network rm")
            self.networks.remove(name)
            return Completed(0, "", "")
        return Completed(0 if name in self.networks else 1, "", "")

    def rehearse(self, argv: Any, check: bool, timeout: int) -> Completed:
        if argv[1] == "create":
            self.event("rehearse")
            self.rehearsals = [argv[-1]]
        elif argv[1] == "rm":
            self.rehearsals = []
        return Completed(0, "", "")

    def _secret(self, verb: str, words: Any, value: str) -> Completed:
        if verb == "inspect" and words[-1] not in self.secrets:
            return Completed(125, "", "no such secret")
        if verb == "inspect":
            return Completed(0, self.secrets[words[-1]][0].rpartition("=")[2] + "\n", "")
        if verb == "ls":
            return Completed(0, "\n".join(self.secrets), "")
        self.event("secret " + verb)
        if verb == "create":
            assert words[-2] not in self.secrets, "Podman before 4.7 does not replace"
            self.secrets[words[-2]] = (words[-3], value)
        else:
            del self.secrets[words[-1]]
        return Completed(0, "", "")

    def _journalctl(self, *_words: str) -> Completed:
        return Completed(0, "cannot connect with {0}\n".format(PASSWORD), "")

    def docker_starts(self) -> None:
        """What systemd starts behind it."""
        for link in sorted(Path(coexistence.UNIT_DIR, "docker.service.wants").glob("docker_to_podman-*")):
            self._coexist("restart", link.name)

    def _coexist(self, verb: str, unit: str) -> Completed:
        path = Path(coexistence.UNIT_DIR, unit)
        link = path.parent / "docker.service.wants" / unit
        if verb == "enable" and not link.is_symlink():
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(path)
        if verb == "disable":
            link.unlink()
        if verb in ("stop", "reset-failed"):
            return Completed(0, "", "")
        settings = [line.partition("=") for line in path.read_text().splitlines()]
        is_there = all(Path(value).exists() for name, _is, value in settings if name == "ConditionPathExists")
        for line in [value for name, _is, value in settings if name == "ExecStart" and verb == "restart" and is_there]:
            try:
                self.run(line.lstrip("-").split()[1:])
            except (CommandError, ValueError):
                if not line.startswith("-"):
                    return Completed(1, "", "Job for {0} failed.".format(unit))
        return Completed(0, "", "")

    def _flock(self, *words: str) -> Completed:
        return self.run(words[3:])

    def _iptables_restore(self, *words: str) -> Completed:
        assert words[:-1] == ("--wait", "--noflush")
        self.rules = restore(self.rules, Path(words[-1]).read_text())
        return Completed(0, "", "")

    def _ip6tables_restore(self, *_words: str) -> Completed:
        return Completed(1, "", "Chain 'DOCKER-USER' does not exist")

    def _systemctl(self, verb: str, *words: str) -> Completed:
        names = [word for word in words if not word.startswith("-")]
        if names and names[0].startswith("docker_to_podman-coexist-"):
            answers = [self._coexist(verb, name) for name in names]
            return max(answers, key=lambda answer: answer.rc)
        if verb == "reset-failed":
            self.ended = {name: how for name, how in self.ended.items() if name not in names}
        if verb == "show":
            return Completed(0, "\n\n".join(self._show(name) for name in names), "")
        are_volumes = bool(names) and all(name.endswith("-volume.service") for name in names)
        if verb == "start" and any(map(self._is_barred, names)):
            return Completed(1, "", "Assertion failed.")
        if verb == "start" and not are_volumes:
            self.links = ["pm-1"]
        if verb != "reset-failed" or not are_volumes:
            self.event(verb + (" volumes" if are_volumes else ""))
        if verb == "start" and are_volumes:
            self.created = names
        elif verb == "start":
            assert not self.docker_runs(), "both engines at once"
            assert not self.addresses[BRIDGE], "the subnet is taken"
            self.networks = sorted({"blog", *self.networks})
            self.services = sorted({*(name for name in names if "-volume." not in name), *self.services})
            self.created = sorted({*(name for name in names if "-volume." in name), *self.created})
            self.pods = ["blog"]
        elif verb == "stop":
            # Of a service that is down nothing is run: what a power cut left stays.
            self.pods = [] if self.services else self.pods
            self.services = [name for name in self.services if name not in names]
            self.created = [name for name in self.created if name not in names]
        return Completed(0, "", "")

    def _is_barred(self, service: str) -> bool:
        path = self.unit_dir / service.replace(".service", ".container")
        return path.exists() and "AssertPathExists=!/" in path.read_text()

    def _show(self, name: str) -> str:
        active = "active" if name in (*self.services, *self.created) else self.ended.get(name, "inactive")
        result = "exit-code" if active == "failed" else "success"
        shown = (
            "Id={0}\nLoadState=loaded\nFragmentPath=/run/systemd/generator/{0}\nActiveState={1}\nSubState=x\nResult={2}"
        )
        return shown.format(name, active, result)


def _has_one(document: Any, volumes: Any) -> bool:
    return volumes is None or any(mount["Name"] in volumes for mount in document["Mounts"])


def _files(folder: Path) -> Any:
    return [(path.name, path.read_text()) for path in folder.glob("*.*") if path.is_file()] if folder.is_dir() else []
