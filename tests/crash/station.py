# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine on which moves are cut off: a small pod on a network of its own, staged, and saved at both ends."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cases import Case, other
from faults import Fault
from troubles import TROUBLES
from workloads import PORT, Host

PACKAGE = "ansible_collections/podshift/docker_to_podman/plugins/module_utils"
JOB, RECOVER = "docker_to_podman-workloads", "docker_to_podman-recover"
# Seconds. Under emulation everything takes several times as long.
PATIENCE = 240.0 if os.environ.get("PODSHIFT_LAB") == "container" else 400.0
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
# Without the counts of starts: nobody's host has this many moves cut off, or dockerd killed, within minutes.
START = """
rm -f /dev/shm/crash-*; printf %s {given} > /dev/shm/crash-case; systemctl reset-failed {job} {recover} docker.service 2>/dev/null
systemd-run --quiet --unit={job} --service-type=exec --property=OnFailure={recover}.service --setenv=HOME=/root \
    python3 {folder} move
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
[ -e /dev/shm/crash-struck ] && echo struck || systemctl show --property=Result --value {job}
cat /dev/shm/crash-answer 2>/dev/null || true
echo
python3 {folder} look {look}
"""
# The job has come to its end, and now the trouble ends, too.
MEND = """
until systemctl show --property=ActiveState --value {job} | grep -qxE 'inactive|failed'; do sleep 0.2; done
{end}
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


class Broken(Exception):
    """The machine did not do what the case needs."""


class Station:
    """The machine of a host's kind, while the ``with`` block runs."""

    def __init__(self, root: Path, name: str, host: Host) -> None:
        self._root, self._name, self.host = root, name, host
        what = {"workloads": {key: item._asdict() for key, item in host.workloads.items()}, "echo": host.echo}
        self._look = shlex.quote(json.dumps(what))
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
        self.ssh(self.host.deploy)
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

    def trouble(self, case: Case) -> dict[str, Any]:
        """What is so when the case has struck, the trouble is over, and the host has done what it does by itself."""
        trouble = TROUBLES[case.end]
        start = self._start(case.goal, case)
        loses_all = case.end in ("power", "dark", "reboot")
        if loses_all:
            boot = self.ssh("cat /proc/sys/kernel/random/boot_id; " + start)
            self._wait_for_boot(boot)
            start = ""
        if trouble.end:
            start += MEND.format(job=JOB, end=trouble.end)
        result, answer, seen = self._settle(start)
        if not loses_all and result != "struck":
            raise Broken(f"{case.point} was never reached")
        if not case.cuts and not loses_all:
            if not answer:
                raise Broken("the program left no answer")
            _require_told(case, json.loads(answer), seen["owners"])
        return seen

    def trouble_elsewhere(self, case: Case, origin: bytes) -> dict[str, Any]:
        """The same of a case that strikes another program, ``origin``: it recovers nothing, this one does."""
        own, self._program = self._program, origin
        try:
            self._send()
            self.ssh(HOLD.format(recover=RECOVER))
            held = self.trouble(case)
        finally:
            self._program = own
        self._send()
        package = PACKAGE.replace("/", ".")
        take_over = TAKE_OVER.format(recover=RECOVER, folder=FOLDER, package=package, state="/var/lib/docker_to_podman")
        _result, _answer, seen = self._settle(take_over)
        if not (held["unfinished"] or held["interrupted"]):
            raise Broken(f"{case.point} left nothing to recover")
        return seen

    def move_again(self, goal: str) -> dict[str, Any]:
        """What is so after the next run, which nothing cuts off."""
        _result, answer, seen = self._settle(self._start(goal))
        results = json.loads(answer)["workloads"] if answer else [{"reason": "it left no answer"}]
        reasons = [result["reason"] for result in results if result["reason"]]
        if reasons:
            raise Broken(f"the next run failed: {reasons[0][-1500:]}")
        return seen

    def _settle(self, start: str) -> tuple[str, str, dict[str, Any]]:
        """How the job ended that perhaps has to be started first, what it answered, and what is so."""
        said = self.ssh(start + SETTLE.format(job=JOB, recover=RECOVER, folder=FOLDER, look=self._look), PATIENCE)
        result, answer, seen = said.rstrip("\n").split("\n")
        return result, answer, json.loads(seen)

    def _start(self, goal: str, case: Case | None = None) -> str:
        given: dict[str, Any] = {"goal": goal, "end": "", "point": "", "fails": False, "workload": "", "make": ""}
        if case:
            given.update(case._asdict(), fails=case.fails, make=TROUBLES[case.end].make)
        given["parallel"] = self.host.parallel
        return START.format(job=JOB, recover=RECOVER, folder=FOLDER, given=shlex.quote(json.dumps(given)))

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
            given = Path(folder, "given.json")
            given.write_text(json.dumps({"assess_policy": self.host.policy}))
            argv = ["ansible-playbook", "-i", str(hosts), "-e", f"@{given}", str(Path(__file__).parent / name)]
            subprocess.run(argv, env=environment, cwd=self._root, check=True, stdin=subprocess.DEVNULL)


def _require_told(case: Case, answer: dict[str, Any], owners: dict[str, str]) -> None:
    """Broken unless the program that went on has said what is so. While a trouble lasts it may fail to undo a move; the host
    mends that later. Where a program hung, the workload has to run again before that goes on."""
    ends = {case.goal: {"committed"}, other(case.goal): {"rolled_back", "refused"}}
    for result in answer["workloads"]:
        may = ends[owners[result["name"]]] | ({"stuck", "unfinished"} if TROUBLES[case.end].lasts else {"unfinished"})
        if result["state"] not in may:
            raise Broken(f"{result['name']} is said to be {result['state']}: {result['reason'][-1500:]}")
        told = (
            f"{result['state']}, stood still for {result['downtime']} s"
            + (result["reason"] and ": ")
            + result["reason"]
        )
        print(f"  {case}: {told[:300]}", flush=True)
        if case.end.startswith("hang") and not 0 < result["downtime"] < HUNG:
            raise Broken(f"it stood still for {result['downtime']} s: {result['reason'][-1500:]}")


def digest(root: Path) -> str:
    """Of all that decides how a case goes."""
    utils = sorted((root / "plugins" / "module_utils").rglob("*.py"))
    own = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in [*utils, *own])).hexdigest()


def program_of(root: Path, commit: str) -> bytes:
    """The program as it was at a commit, with the main of this tree."""
    archive = ["git", "archive", commit, "plugins/module_utils"]
    packed = subprocess.run(archive, cwd=root, stdout=subprocess.PIPE, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "--extract", "--directory", folder], input=packed, check=True)
        own = Path(folder, "tests", "crash")
        own.mkdir(parents=True)
        shutil.copy(Path(__file__).parent / "on_machine.py", own)
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
