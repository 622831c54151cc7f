# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine on which moves are cut off: a small pod on a network of its own, staged, and saved at both ends."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cases import Case
from faults import Fault

PORT = 6390
PACKAGE = "ansible_collections/podshift/docker_to_podman/plugins/module_utils"
JOB, RECOVER = "docker_to_podman-workloads", "docker_to_podman-recover"
# Under emulation everything takes several times as long.
PATIENCE = 400.0
# The state of a machine on which nothing ever moved.
FIRST = "first"
# Where the program is on the machine, with its bytecode.
FOLDER = "/root/crash"
SEND = """
set -e
rm -rf {folder}; mkdir {folder}; cd {folder}
cat > sent.zip; python3 -m zipfile -e sent.zip .; python3 -m compileall -q .
sync
"""
# Without its count of starts: nobody's host has this many moves cut off within minutes.
START = """
rm -f /run/crash-answer /run/crash-struck; systemctl reset-failed {job} {recover} 2>/dev/null
systemd-run --quiet --unit={job} --service-type=exec --property=OnFailure={recover}.service --setenv=HOME=/root \
    python3 {folder} move '{given}'
"""
# One connection does all the waiting and looking, because each costs an emulated machine a second of work. A unit can
# be between two starts, and a job can start another: both have come to their end when neither has anything to do.
SETTLE = """
set -e
ended() {{
    until systemctl show --property=ActiveState --value $1 | grep -qxE 'inactive|failed'; do
        pid=$(systemctl show --property=MainPID --value $1)
        if [ "$pid" -gt 0 ]; then tail --pid=$pid --sleep-interval=0.3 --follow /dev/null; else sleep 0.5; fi
    done
}}
quiet() {{ until systemctl list-jobs | grep -q '^No jobs'; do sleep 0.5; done; }}
systemctl is-system-running --wait > /dev/null || true
ended {job}; quiet; ended {recover}; quiet
[ -e /run/crash-struck ] && echo struck || systemctl show --property=Result --value {job}
cat /run/crash-answer 2>/dev/null || true
echo
python3 {folder} look
"""
# What needs Docker has to wait meanwhile, and nobody tells it that Docker is back.
REPAIR = """
set -e
until systemctl show --property=ActiveState --value {job} | grep -qxE 'inactive|failed'; do sleep 0.2; done
sleep 5
rm /etc/systemd/system/docker.service.d/crash.conf
systemctl daemon-reload
systemctl reset-failed docker.socket docker.service
systemctl start docker.socket docker.service
"""
# All calls that hung have gone on by then.
WAKE = """
until systemctl show --property=ActiveState --value {job} | grep -qxE 'inactive|failed'; do sleep 0.2; done
rm -f /run/crash-hang
while pgrep -f '^sleep 45.0625' > /dev/null; do sleep 0.5; done
grep -o ' /[a-z/]* ' /proc/self/mountinfo | grep -E '^ /usr/s?bin/' | xargs -r umount
sleep 3
"""
# Seconds in which a workload runs again in whose move a program hangs.
HUNG = 75.0
# A boot or a failure starts nothing then.
HOLD = """
mkdir -p /run/systemd/system/{recover}.service.d
printf '[Unit]\\nConditionPathExists=/nowhere\\n' > /run/systemd/system/{recover}.service.d/hold.conf
systemctl daemon-reload
"""
# This program takes the place of the one that was cut off, and recovers.
TAKE_OVER = """
set -e
rm -r /run/systemd/system/{recover}.service.d
python3 -c 'import sys; sys.path.insert(0, "{folder}"); from {package}._move.guard import install; install("{state}")'
systemctl daemon-reload
systemctl start --no-block {recover}
"""
SHOP = """
docker compose --project-directory /srv/blog down --volumes
docker rm --force --volumes cache
# The same image without the port that it exposes: two members of a pod cannot have the same.
docker export "$(docker create lab/redis:1)" | docker import - lab/aside:1
mkdir -p /srv/shop
cat > /srv/shop/compose.yaml <<'F'
services:
  ledger:
    container_name: ledger
    image: lab/redis:1
    restart: always
    ports: ["6390:6379"]
    volumes: ["ledger:/data"]
    environment: {LEDGER_PASSWORD: correct-horse}
    command: redis-server --bind '*' --protected-mode no --appendonly yes --appendfsync always
  aside:
    container_name: aside
    image: lab/aside:1
    restart: unless-stopped
    volumes: ["/data"]
    command: redis-server --port 7000 --save ''
volumes: {ledger: {name: ledger}}
networks: {default: {name: shop, ipam: {config: [{subnet: 172.30.0.0/24}]}}}
F
docker compose --project-directory /srv/shop up --detach
docker rm $(docker ps --all --quiet --filter status=created)
"""


class Broken(Exception):
    """The machine did not do what the case needs."""


def expected(owner: str) -> dict[str, Any]:
    """What has to be so when this engine has the workload."""
    on_podman = owner == "podman"
    both = ["aside", "ledger"]
    containers = [name + ending for name in both for ending in (".container", ".dockerenv")]
    # The user of the ledger is not root.
    containers.append("ledger.containers.conf")
    return {
        "owner": owner,
        "interrupted": "",
        "finished": True,
        "docker": [] if on_podman else both,
        "podman": [*both, "shop-infra"] if on_podman else [],
        "policies": ["no", "no"] if on_podman else ["unless-stopped", "always"],
        "networks": ["podman", "shop"] if on_podman else ["podman"],
        "rehearsals": 0,
        "gates": 0,
        "bridges": [owner],
        "has_passage": on_podman,
        "units": sorted([*containers, "aside-data.volume", "ledger.volume", "shop.network", "shop.pod"])
        if on_podman
        else [],
        "awake": ["shop.pod"] if on_podman else [],
        "secrets": 1 if on_podman else 0,
        "failed": [],
        "recovery": "success",
    }


class Station:
    """The machine, while the ``with`` block runs; ``deploy`` are commands that start the workload in Docker."""

    def __init__(self, root: Path, name: str = "crash", deploy: str = SHOP) -> None:
        self._root, self._name, self._deploy = root, name, deploy
        # The program that the machine has, and its saved states; of a machine that was found, nobody knows.
        self._there = self._saved_with = b""
        # The state that the machine is in, when it is one that a case can begin with.
        self.state = ""

    def __enter__(self) -> Station:
        self.install(None)
        if not self._find_kept():
            with contextlib.ExitStack() as on_error:
                on_error.callback(self.__exit__)
                self._prepare()
                on_error.pop_all()
        return self

    def _prepare(self) -> None:
        self._lab("down", self._name)
        self._machine = json.loads(self._lab("up", self._name, "--forward", str(PORT)))
        self.port = int(self._machine["forwards"][str(PORT)])
        self.ssh(self._deploy)
        self._playbook("prepare.yml")
        self._send()
        self._saved_with = self._program
        self._lab("save", self._name, FIRST)
        self.state = FIRST

    def __exit__(self, *_exception: object) -> None:
        if not os.environ.get("KEEP"):
            self._lab("down", self._name)

    def _find_kept(self) -> bool:
        """Whether the machine of an earlier run stands where this one would begin."""
        kept = json.loads(self._lab("list")) if os.environ.get("KEEP") else []
        for machine in (item for item in kept if item["name"] == self._name):
            self.port = int(machine["forwards"][str(PORT)])
            return True
        return False

    def install(self, fault: Fault | None) -> None:
        """Have a program for the machine, with a fault in it or without."""
        self._program = program(self._root, fault)

    def begin(self, state: str) -> None:
        """The machine before its first move (FIRST), or before a later one to an engine: as it was saved, unless a move that
        came to its end has just left it so, which leaves the emulator what it has translated."""
        if self.state != state:
            self._lab("load", self._name, state)
            self._there = self._saved_with
        self.state = ""
        if self._there != self._program:
            self._send()

    def save_starts(self, cases: Iterable[Case]) -> None:
        """Go there and back as far as needed, and save where these cases begin: with the first start behind them."""
        goals = {case.goal for case in cases if not case.is_first}
        if not goals:
            return
        self.begin(FIRST)
        for goal, next_goal in (("podman", "docker"), ("docker", "podman")):
            self.move_again(goal)
            self._lab("save", self._name, next_goal)
            self.state = next_goal
            if goals == {next_goal}:
                return

    def cut_off(self, case: Case) -> dict[str, Any]:
        """What is so when the case has struck, and the host has done what it does by itself."""
        start = self._start(case._asdict() | {"fails": case.fails})
        if case.end in ("power", "dark"):
            boot = self.ssh("cat /proc/sys/kernel/random/boot_id; " + start)
            self._wait_for_boot(boot)
            start = ""
        if case.end in ("absent", "dark"):
            start += REPAIR.format(job=JOB)
        if case.end.startswith("hang"):
            start += WAKE.format(job=JOB)
        result, answer, seen = self._settle(start)
        if case.end not in ("power", "dark") and result == "success":
            raise Broken(f"{case.point} was never reached")
        if case.end.startswith("hang"):
            _require_undone(case, json.loads(answer)["workloads"][0])
        return seen

    def cut_off_elsewhere(self, case: Case, origin: bytes) -> dict[str, Any]:
        """The same of a case that strikes another program, ``origin``: it recovers nothing, this one does."""
        own, self._program = self._program, origin
        try:
            self._send()
            self.ssh(HOLD.format(recover=RECOVER))
            held = self.cut_off(case)
        finally:
            self._program = own
        self._send()
        package = PACKAGE.replace("/", ".")
        take_over = TAKE_OVER.format(recover=RECOVER, folder=FOLDER, package=package, state="/var/lib/docker_to_podman")
        _result, _answer, seen = self._settle(take_over)
        if held["finished"] and not held["interrupted"]:
            raise Broken(f"{case.point} left nothing to recover")
        return seen

    def move_again(self, goal: str) -> dict[str, Any]:
        """What is so after the next run, which nothing cuts off."""
        _result, answer, seen = self._settle(self._start({"goal": goal, "end": "", "point": "", "fails": False}))
        results = json.loads(answer)["workloads"] if answer else [{"reason": "it left no answer"}]
        reasons = [result["reason"] for result in results if result["reason"]]
        if reasons:
            raise Broken(f"the next run failed: {reasons[0][-1500:]}")
        return seen

    def _settle(self, start: str) -> tuple[str, str, dict[str, Any]]:
        """How the job ended that perhaps has to be started first, what it answered, and what is so."""
        said = self.ssh(start + SETTLE.format(job=JOB, recover=RECOVER, folder=FOLDER), PATIENCE)
        result, answer, seen = said.rstrip("\n").split("\n")
        return result, answer, json.loads(seen)

    def _start(self, given: dict[str, Any]) -> str:
        return START.format(job=JOB, recover=RECOVER, folder=FOLDER, given=json.dumps(given))

    def _send(self) -> None:
        subprocess.run(self._argv(SEND.format(folder=FOLDER)), input=self._program, check=True)
        self._there = self._program

    def _wait_for_boot(self, before: str) -> None:
        until = time.monotonic() + PATIENCE
        while self._try("cat /proc/sys/kernel/random/boot_id") in ("", before):
            if time.monotonic() > until:
                raise Broken(f"the machine did not start anew within {PATIENCE:.0f} s")
            time.sleep(0.5)

    def _argv(self, command: str) -> list[str]:
        return [sys.executable, str(self._root / "lab" / "lab.py"), "ssh", self._name, command]

    def _try(self, command: str) -> str:
        try:
            done = subprocess.run(self._argv(command), capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout

    def ssh(self, command: str, patience: float | None = None) -> str:
        """What a command on the machine prints."""
        try:
            done = subprocess.run(self._argv(command), capture_output=True, text=True, timeout=patience, check=False)
        except subprocess.TimeoutExpired:
            raise Broken(f"{command[:80]}: not done within {patience:.0f} s") from None
        if done.returncode:
            raise Broken(f"{command[:80]}: {done.returncode}: {done.stderr[-1000:]}")
        return done.stdout

    def _lab(self, *words: str) -> str:
        argv = [sys.executable, str(self._root / "lab" / "lab.py"), *words]
        return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout

    def _playbook(self, name: str) -> None:
        sys.path.insert(0, str(self._root / "lab"))
        from demo import inventory

        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(self._root / ".cache" / "collections")}
        with tempfile.TemporaryDirectory() as folder:
            hosts = Path(folder, "inventory.json")
            hosts.write_text(inventory(self._machine))
            argv = ["ansible-playbook", "-i", str(hosts), str(Path(__file__).parent / name)]
            subprocess.run(argv, env=environment, cwd=self._root, check=True, stdin=subprocess.DEVNULL)


def _require_undone(case: Case, result: dict[str, Any]) -> None:
    """Broken unless a workload in whose move a program hung ran again soon, and not only when that went on. While all calls
    of a program hang, its rests stay, and the host removes them later."""
    ends = ("rolled_back", "stuck") if " all " in case.end else ("rolled_back",)
    if result["state"] not in ends or not 0 < result["downtime"] < HUNG:
        raise Broken(f"it is {result['state']} after {result['downtime']} s: {result['reason'][-1500:]}")
    print(f"  {case}: it stood still for {result['downtime']} s", flush=True)


def digest(root: Path) -> str:
    """Of all that decides how a case goes."""
    utils = sorted((root / "plugins" / "module_utils").rglob("*.py"))
    own = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in [*utils, *own])).hexdigest()


def program_of(root: Path, commit: str) -> bytes:
    """The program as it was at a commit."""
    archive = ["git", "archive", commit, "plugins/module_utils", "tests/crash/on_machine.py"]
    packed = subprocess.run(archive, cwd=root, stdout=subprocess.PIPE, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "--extract", "--directory", folder], input=packed, check=True)
        return program(Path(folder), None)


def program(root: Path, fault: Fault | None) -> bytes:
    """The collection's module_utils as a program with the main of on_machine.py, and perhaps with a fault."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as found:
        parts = PACKAGE.split("/")
        for depth in range(1, len(parts) + 1):
            found.writestr("/".join([*parts[:depth], "__init__.py"]), "")
        folder = root / "plugins" / "module_utils"
        for path in sorted(folder.rglob("*.py")):
            name, source = path.relative_to(folder).as_posix(), path.read_text()
            if fault and name == fault.file:
                if source.count(fault.old) != 1:
                    raise SystemExit(f"{fault.file} does not hold {fault.old!r} once")
                source = source.replace(fault.old, fault.new)
            if name != "__init__.py":
                found.writestr(f"{PACKAGE}/{name}", source)
        found.writestr("__main__.py", (root / "tests" / "crash" / "on_machine.py").read_text())
    return archive.getvalue()
