# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program's main on the machine: a move that is cut off at one point.

usage: python3 FOLDER move '{"goal": ..., "end": ..., "point": ..., "fails": ...}', or python3 FOLDER look
"""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
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
# Says that the point was reached.
STRUCK = Path("/run/crash-struck")
# Docker cannot start any more, also at a boot, and does not run.
LOSE_DOCKER = """
mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\\nExecStartPre=/bin/false\\n' > /etc/systemd/system/docker.service.d/crash.conf
sync
systemctl daemon-reload
systemctl stop docker.socket docker.service
"""
# A program in the place of another: it sleeps, once or always, and then does what it was asked for.
HANG = """
set -e
real=$(readlink -f "$(command -v {program})"); kept=/usr/local/lib/crash-{program}
cp --preserve "$real" $kept
printf '#!/bin/sh\\n{condition} && sleep 45.0625\\nexec %s "$@"\\n' $kept > /run/crash-{program}
chmod 755 /run/crash-{program}
mount --bind /run/crash-{program} "$real"
touch /run/crash-hang
"""
HANGS = {"all": "[ -e /run/crash-hang ]", "one": "rm /run/crash-hang 2>/dev/null"}
CONTAINERS, RECOVER = ("aside", "ledger"), "docker_to_podman-recover.service"


class Cut:
    """Ends everything at one point."""

    def __init__(self, end: str, point: str) -> None:
        self._end, self._point = end, point

    def at(self, point: str) -> None:
        if point != self._point:
            return
        STRUCK.touch()
        if self._end in ("absent", "dark"):
            subprocess.run(["sh", "-c", LOSE_DOCKER], check=True)
        if self._end.startswith("hang"):
            _hang, how, program = self._end.split()
            script = HANG.format(program=program, condition=HANGS[how])
            subprocess.run(["sh", "-c", script], check=True)
            return
        if self._end in ("kill", "absent"):
            os.kill(os.getpid(), signal.SIGKILL)
        if STOP.exists():
            STOP.write_text("1")
        else:
            RESET.write_text("b")
        signal.pause()


def cut_off(cut: Cut, fails: bool) -> None:
    """Make transactions end at that point."""

    class CutOff(transaction.Transaction):
        def __init__(self, journal: Path, plan_hash: str, aim: str, before: Any, after: Any = ()) -> None:
            steps = [[_step(step, cut, fails) for step in table] for table in (before, after)]
            super().__init__(journal, plan_hash, aim, *steps)

    def append(path: Path, event: dict[str, Any]) -> None:
        journal.append_journal(path, event)
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
    """Move the workload, as the service would."""
    cut_off(Cut(case["end"], case["point"]), case["fails"])
    signals.heed()
    given = {
        "state_dir": "/var/lib/docker_to_podman",
        "socket": "/run/docker.sock",
        "workloads": [],
        "data": "current",
        "parallel": 1,
    }
    plan = glob.glob("/var/lib/docker_to_podman/*/plan.json")[0]
    ready_timeout = 2 if case["end"].startswith("hang") else 300
    answer = run.move(
        {**given, "plan_path": plan, "engine": case["goal"], "ready_timeout": ready_timeout, "ready_timeouts": {}},
        False,
    )
    Path("/run/crash-answer").write_text(json.dumps(answer))
    if guard.is_under_way(given["state_dir"]):
        raise SystemExit(1)


def look() -> None:
    """Print what is so."""
    engine = engine_state.EngineState(Path(glob.glob("/var/lib/docker_to_podman/*/engine.json")[0]).parent)
    (workload,) = engine.journals()
    events = engine.journal(workload)
    addresses = json.loads(said("ip", "-json", "-4", "address"))
    subnet = "172.30.0."
    holders = [
        link["ifname"]
        for link in addresses
        if any(item.get("local", "").startswith(subnet) for item in link["addr_info"])
    ]
    units = {path.name: path.read_text() for path in Path("/etc/containers/systemd").glob("*.*")}
    print(
        json.dumps(
            {
                "owner": journal.owner(events),
                "interrupted": journal.interrupted(events),
                "finished": recovery.is_finished(events),
                "docker": sorted(said("docker", "ps", "--format", "{{.Names}}").split()),
                "podman": sorted(said("podman", "ps", "--all", "--format", "{{.Names}}").split()),
                "policies": said(
                    "docker", "inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", *CONTAINERS
                ).split(),
                "units": sorted(units),
                "awake": sorted(name for name, text in units.items() if "[Install]" in text),
                "networks": sorted(said("podman", "network", "ls", "--format", "{{.Name}}").split()),
                "rehearsals": sum(link["ifname"] == "pm-rehearsal" for link in addresses),
                "gates": said("nft", "list", "tables").count("docker_to_podman"),
                "secrets": said("podman", "secret", "ls", "--noheading").count("\n"),
                "bridges": ["docker" if name.startswith("br-") else "podman" for name in holders],
                "has_passage": "docker_to_podman:" in said("iptables-save"),
                "failed": said("systemctl", "list-units", "--failed", "--plain", "--no-legend").split("\n")[:-1],
                "recovery": said("systemctl", "show", "--property=Result", "--value", RECOVER).strip(),
            }
        )
    )


def said(*argv: str) -> str:
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False).stdout


if __name__ == "__main__":
    if sys.argv[1] == "move":
        move(json.loads(sys.argv[2]))
    else:
        look()
