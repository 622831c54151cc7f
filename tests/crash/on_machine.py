# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program's main on the machine: a move that is troubled at one point.

usage: python3 FOLDER move, with a case as JSON in /dev/shm/crash-case; python3 FOLDER look '{"workloads": {NAME: ...}, "echo":
SCRIPT}'; and, by the first, python3 FOLDER watch WORKLOAD EVENT STEP
"""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import signals
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import (
    guard,
    recovery,
    run,
    transaction,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state import engine_state, journal

# A machine with a kernel of its own starts anew at once, with nothing synced and nothing unmounted; one without stops all its
# processes, of which only the topmost group of a machine is capable, and loses its power in that state.
RESET, STOP = Path("/proc/sysrq-trigger"), Path("/sys/fs/cgroup/cgroup.freeze")
# STRUCK says that the point was reached. All of it where no trouble of the disk or of /run reaches.
CASE, ANSWER, STRUCK = (Path("/dev/shm/crash-" + name) for name in ("case", "answer", "struck"))
# Opened once: a thread that copies volumes sees no other folders.
MEMORY = os.open(str(STRUCK.parent), os.O_RDONLY | os.O_DIRECTORY)
# Python's audit events for requests of a step: programs, servers, files that are put into place or removed.
ASKED = ("subprocess.Popen", "socket.connect", "os.rename", "os.remove")
# Seconds: a program is in the middle of its work then.
AMIDST = 0.03
STATE, RECOVER = "/var/lib/docker_to_podman", "docker_to_podman-recover.service"


class Cut:
    """Makes a trouble at one point, and ends everything where that belongs to it."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._end, self._make = case["end"], case["make"]
        self._point, _comma, then = case["point"].partition(", ")
        self._then = [case["workload"], *then.split()]
        self._step, self._asked = "", 0
        if self._point.startswith("in do"):
            sys.addaudithook(self._ask)

    def at(self, point: str) -> None:
        when, _do, self._step = point.partition(" do ")
        self._step = self._step if when == "before" else ""
        self._asked = 0
        if point != self._point or STRUCK.exists():
            return
        if self._end == "again":
            watch(*self._then)
        else:
            strike()
        if self._make:
            subprocess.run(["sh", "-c", self._make], check=True, stdin=subprocess.DEVNULL)
        if self._end in ("kill", "absent", "again"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._end in ("power", "dark"):
            lose_power()

    def _ask(self, event: str, asked: tuple[Any, ...]) -> None:
        if not self._step or event not in ASKED:
            return
        self._asked += 1
        _in, _do, step, which = self._point.split()
        program = os.path.basename(asked[1][0]) if event == "subprocess.Popen" else event
        if os.environ.get("CRASH_TELL"):
            print(f"{self._step} {self._asked} {program} {asked[:2]}", flush=True)
        if self._step == step and which in (str(self._asked), program):
            strike()
            if event == "subprocess.Popen":
                threading.Timer(AMIDST, os.kill, (os.getpid(), signal.SIGKILL)).start()
            else:
                os.kill(os.getpid(), signal.SIGKILL)


def strike() -> None:
    """Say that the point was reached."""
    os.close(os.open(STRUCK.name, os.O_WRONLY | os.O_CREAT, dir_fd=MEMORY))


def lose_power() -> None:
    if STOP.exists():
        STOP.write_text("1")
    else:
        RESET.write_text("b")
    signal.pause()


def watch(*what: str) -> None:
    """Have what recovers killed, by a process that does not end with this one."""
    argv = ["systemd-run", "--quiet", "--collect", "--unit=crash-watch", sys.executable, sys.argv[0], "watch", *what]
    subprocess.run(argv, check=True)


def kill_recovery(workload: str, event: str, step: str) -> None:
    """When it has written this into the journal of the workload."""
    engine = engine_of_host()
    while not _has_tried(engine.journal(workload), event, step):
        time.sleep(0.002)
    subprocess.run(["systemctl", "kill", "--kill-whom=main", "--signal=KILL", RECOVER], check=True)
    strike()


def _has_tried(events: list[dict[str, Any]], event: str, step: str) -> bool:
    begun = [number for number, item in enumerate(events) if item["event"] == "recover_begun"]
    tried = events[begun[-1] :] if begun else []
    # An attempt that is over has these records as well.
    return any((item["event"], item["step"]) == (event, step) for item in tried) and events[-1]["event"] != "rollback"


def cut_off(cut: Cut, workload: str, fails: bool) -> None:
    """Have the transaction of the workload meet the trouble."""

    class CutOff(transaction.Transaction):
        def __init__(self, journal: Path, plan_hash: str, aim: str, before: Any, after: Any = ()) -> None:
            steps = [before, after]
            if journal.stem == workload:
                steps = [[_step(step, cut, fails) for step in table] for table in steps]
            super().__init__(journal, plan_hash, aim, *steps)

    def append(path: Path, event: dict[str, Any]) -> None:
        journal.append_journal(path, event)
        if path.stem == workload:
            cut.at(f"written {event['event']} {event['step']}")

    run.Transaction = CutOff  # type: ignore[misc]
    transaction.append_journal = append


def _step(step: transaction.Step, cut: Cut, fails: bool) -> transaction.Step:
    def do(notes: journal.Notes) -> dict[str, Any] | None:
        cut.at("before do " + step.name)
        done = step.do(notes)
        if fails and step.name == "wait_ready":
            raise UserError("It has to fail.")
        cut.at("after do " + step.name)
        return done

    def undo(notes: journal.Notes) -> None:
        cut.at("before undo " + step.name)
        step.undo(notes)
        cut.at("after undo " + step.name)

    return step._replace(do=do, undo=undo)


def move(case: dict[str, Any]) -> None:
    """Move the workloads, as the service would."""
    cut_off(Cut(case), case["workload"], case["fails"])
    signals.heed()
    given = {
        "plan_path": str(engine_of_host().plan_path),
        "state_dir": STATE,
        "socket": "/run/docker.sock",
        "workloads": [],
        "data": "current",
        "parallel": case["parallel"],
        "engine": case["goal"],
        "ready_timeout": 2 if case["end"].startswith("hang") else 60 if case["make"] else 300,
        "ready_timeouts": {},
    }
    answer = run.move(given, False)
    ANSWER.write_text(json.dumps(answer))
    if guard.is_under_way(STATE):
        raise SystemExit(1)


def look(what: dict[str, Any]) -> None:
    """Print what is so."""
    engine = engine_of_host()
    events = {name: engine.journal(name) for name in what["workloads"]}
    units = {path.name: path.read_text() for path in Path("/etc/containers/systemd").glob("*.*")}
    rules = said("iptables-save")
    containers = [name for workload in what["workloads"].values() for name in workload["containers"]]
    policies = said("docker", "inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", *containers).split()
    links = json.loads(said("ip", "-json", "-4", "address"))
    found = {
        "owners": {name: journal.owner(item) for name, item in events.items()},
        "interrupted": [name for name, item in events.items() if journal.interrupted(item)],
        "unfinished": [name for name, item in events.items() if not recovery.is_finished(item)],
        "docker": sorted(said("docker", "ps", "--format", "{{.Names}}").split()),
        "podman": sorted(said("podman", "ps", "--all", "--format", "{{.Names}}").split()),
        "policies": dict(zip(containers, policies)),
        "units": sorted(units),
        "awake": sorted(name for name, text in units.items() if "[Install]" in text),
        "networks": sorted(said("podman", "network", "ls", "--format", "{{.Name}}").split()),
        "rehearsals": sum(link["ifname"] == "pm-rehearsal" for link in links),
        "gates": said("nft", "list", "tables").count("docker_to_podman"),
        "secrets": said("podman", "secret", "ls", "--noheading").count("\n"),
        "bridges": {name: _holders(links, workload["subnet"]) for name, workload in what["workloads"].items()},
        "passages": [name for name in what["workloads"] if f"docker_to_podman:{name}" in rules],
        "failed": said("systemctl", "list-units", "--failed", "--plain", "--no-legend").split("\n")[:-1],
        "recovery": said("systemctl", "show", "--property=Result", "--value", RECOVER).strip(),
    }
    owner = next(reversed(found["owners"].values()), "docker")
    found["echo"] = said(sys.executable, "-c", what["echo"], owner).splitlines()
    print(json.dumps(found))


def _holders(links: list[dict[str, Any]], subnet: str) -> str:
    """The engines whose bridges have an address there."""
    names = [
        link["ifname"] for link in links if any(item.get("local", "").startswith(subnet) for item in link["addr_info"])
    ]
    return " ".join("docker" if name.startswith("br-") else "podman" for name in names)


def engine_of_host() -> engine_state.EngineState:
    """The one that there is."""
    return engine_state.EngineState(Path(glob.glob(STATE + "/*/engine.json")[0]).parent)


def said(*argv: str) -> str:
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False).stdout


if __name__ == "__main__":
    task, *given = sys.argv[1:]
    if task == "watch":
        kill_recovery(*given)
    elif task == "look":
        look(json.loads(given[0]))
    else:
        move(json.loads(CASE.read_text()))
