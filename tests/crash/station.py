# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine on which moves are cut off: a small workload on a network of its own, staged, and saved at both ends."""

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
from pathlib import Path
from typing import Any

from cases import Case
from faults import Fault

PORT = 6390
PACKAGE = "ansible_collections/podshift/docker_to_podman/plugins/module_utils"
JOB, RECOVER = "docker_to_podman-workloads", "docker_to_podman-recover"
# Under emulation everything takes several times as long.
PATIENCE = 400.0
SHOP = """
docker compose --project-directory /srv/blog down --volumes
docker rm --force --volumes cache
docker network create --subnet 172.30.0.0/24 shop
docker run --detach --name ledger --network shop --restart always --publish 6390:6379 --volume ledger:/data \
    --env LEDGER_PASSWORD=correct-horse lab/redis:1 \
    redis-server --bind '*' --protected-mode no --appendonly yes --appendfsync always
docker run --detach --name aside --network shop --restart unless-stopped lab/redis:1 redis-server --port 7000 --save ''
"""


class Broken(Exception):
    """The machine did not do what the case needs."""


def expected(owner: str) -> dict[str, Any]:
    """What has to be so when this engine has the workload."""
    on_podman = owner == "podman"
    both = ["aside", "ledger"]
    containers = [name + ".container" for name in both]
    return {
        "owner": owner,
        "interrupted": "",
        "finished": True,
        "docker": [] if on_podman else both,
        "podman": both if on_podman else [],
        "policies": ["no", "no"] if on_podman else ["unless-stopped", "always"],
        "networks": ["podman", "shop"] if on_podman else ["podman"],
        "gates": 0,
        "bridges": [owner],
        "has_passage": on_podman,
        "units": sorted([*containers, "aside-data.volume", "ledger.volume", "shop.network"]) if on_podman else [],
        "awake": containers if on_podman else [],
        "secrets": 1 if on_podman else 0,
        "recovery": "success",
    }


class Station:
    """The machine, while the ``with`` block runs; ``deploy`` are commands that start the workload in Docker."""

    def __init__(self, root: Path, name: str = "crash", deploy: str = SHOP) -> None:
        self._root, self._name, self._deploy = root, name, deploy
        self._boot, self._has_return = "", False

    def __enter__(self) -> Station:
        self.install(None)
        if not self._is_kept():
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
        self._lab("save", self._name, "podman")

    def __exit__(self, *_exception: object) -> None:
        if not os.environ.get("KEEP"):
            self._lab("down", self._name)

    def _is_kept(self) -> bool:
        """Whether the machine of an earlier run stands where this one would begin."""
        kept = json.loads(self._lab("list")) if os.environ.get("KEEP") else []
        for machine in (item for item in kept if item["name"] == self._name):
            self.port = int(machine["forwards"][str(PORT)])
            self._has_return = True
            return True
        return False

    def install(self, fault: Fault | None) -> None:
        """Put the program on the machine, with a fault in it or without."""
        self._program = program(self._root, fault)

    def begin(self, goal: str) -> None:
        """The machine as it was before a move to ``goal``."""
        if goal == "docker" and not self._has_return:
            self._prepare_return()
        self._lab("load", self._name, goal)
        self._send()

    def _prepare_return(self) -> None:
        self.begin("podman")
        self.move_again("podman")
        self._lab("save", self._name, "docker")
        self._has_return = True

    def move(self, case: Case) -> None:
        """Begin the move that will be cut off; it goes on by itself."""
        self._boot = self.ssh("cat /proc/sys/kernel/random/boot_id").strip()
        given = {"goal": case.goal, "end": case.end, "point": case.point, "fails": case.fails}
        self._start("move", json.dumps(given))

    def wait_settled(self, case: Case) -> None:
        """Until the case has struck, and the host has done what it does by itself."""
        until = time.monotonic() + PATIENCE
        if case.end == "power":
            self._until(until, lambda: self._try("cat /proc/sys/kernel/random/boot_id").strip() not in ("", self._boot))
            self._until(
                until, lambda: self._try("systemctl is-system-running --wait").strip() in ("running", "degraded")
            )
        else:
            self._wait_ended(JOB)
            if "Result=success" in self.ssh(f"systemctl show --property=Result {JOB}"):
                raise Broken(f"{case.point} was never reached")
        self._wait_ended(RECOVER)
        self._wait_started()

    def _wait_started(self) -> None:
        """Until systemd has done what was queued: an undo does not wait for Podman's services."""
        self._wait("systemctl list-jobs | grep --quiet '^No jobs'")

    def move_again(self, goal: str) -> None:
        """The next run, which nothing cuts off."""
        self._send()
        self._start("move", json.dumps({"goal": goal, "end": "", "point": "", "fails": False}))
        self._wait_ended(JOB)
        said = self._try("cat /run/crash-answer")
        results = json.loads(said)["workloads"] if said else [{"reason": "it left no answer"}]
        reasons = [result["reason"] for result in results if result["reason"]]
        if reasons:
            raise Broken(f"the next run failed: {reasons[0][-1500:]}")
        self._wait_started()

    def look(self) -> dict[str, Any]:
        """What is so on the machine."""
        found: dict[str, Any] = json.loads(self.ssh("python3 /root/crash.pyz look"))
        return found

    def _start(self, *words: str) -> None:
        quoted = " ".join("'" + word + "'" for word in words)
        self.ssh(
            f"rm --force /run/crash-answer; systemctl reset-failed {JOB} 2>/dev/null; systemd-run --quiet --unit={JOB} --service-type=exec "
            f"--property=OnFailure={RECOVER}.service --setenv=HOME=/root python3 /root/crash.pyz {quoted}"
        )

    def _send(self) -> None:
        argv = self._argv("cat > /root/crash.pyz && sync")
        subprocess.run(argv, input=self._program, check=True)

    def _wait_ended(self, unit: str) -> None:
        state = f"systemctl show --property=ActiveState --value {unit}"
        self._wait(f"{state} | grep --quiet --line-regexp --extended-regexp 'inactive|failed'")

    def _wait(self, question: str) -> None:
        """Until a command on the machine succeeds. One connection, because each costs an emulated machine a second of
        work."""
        self.ssh(f"for try in $(seq {PATIENCE:.0f}); do {question} && exit 0; sleep 1; done; exit 1")

    def _until(self, deadline: float, question: Any) -> None:
        while not question():
            if time.monotonic() > deadline:
                raise Broken(f"nothing happened for {PATIENCE:.0f} s")
            time.sleep(0.5)

    def _argv(self, command: str) -> list[str]:
        return [sys.executable, str(self._root / "molecule" / "lab" / "lab.py"), "ssh", self._name, command]

    def _try(self, command: str) -> str:
        try:
            done = subprocess.run(self._argv(command), capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout

    def ssh(self, command: str) -> str:
        """What a command on the machine prints."""
        done = subprocess.run(self._argv(command), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Broken(f"{command[:80]}: {done.returncode}: {done.stderr[-1000:]}")
        return done.stdout

    def _lab(self, *words: str) -> str:
        argv = [sys.executable, str(self._root / "molecule" / "lab" / "lab.py"), *words]
        return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout

    def _playbook(self, name: str) -> None:
        sys.path.insert(0, str(self._root / "molecule" / "lab"))
        from demo import inventory

        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(self._root / ".cache" / "collections")}
        with tempfile.TemporaryDirectory() as folder:
            hosts = Path(folder, "inventory.json")
            hosts.write_text(inventory(self._machine))
            argv = ["ansible-playbook", "-i", str(hosts), str(Path(__file__).parent / name)]
            subprocess.run(argv, env=environment, cwd=self._root, check=True, stdin=subprocess.DEVNULL)


def digest(root: Path) -> str:
    """Of all that decides how a case goes."""
    utils = sorted((root / "plugins" / "module_utils").rglob("*.py"))
    own = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in [*utils, *own])).hexdigest()


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
        found.writestr("__main__.py", (Path(__file__).parent / "on_machine.py").read_text())
    return archive.getvalue()
