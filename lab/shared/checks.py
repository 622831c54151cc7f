# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verifiers ask a machine, from the outside and from the inside."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

EXPECTED = yaml.safe_load((Path(__file__).parent / "vars" / "blog.yml").read_text(encoding="utf-8"))
STATE_DIR = "/var/lib/docker_to_podman"
WRITTEN_BETWEEN = "Written between two attempts"


def outside(host: Any, port: int) -> tuple[str, int]:
    """Where a published port of the machine is reached from another machine: through the emulator's network card."""
    return "127.0.0.1", int(host.ansible.get_variables()["lab_forwards"][str(port)])


def notes(host: Any) -> list[str]:
    """What the application answers to somebody outside; it comes from PostgreSQL through nginx."""
    return json.loads(fetch(host, 8080, "/notes"))["notes"]


def write_note(host: Any, note: str) -> None:
    """Write into PostgreSQL from outside; an answer other than success is an error."""
    fetch(host, 8080, "/notes", note.encode())


def fetch(host: Any, port: int, path: str, data: bytes | None = None, timeout: float = 60) -> str:
    """What a published port of the machine answers over HTTP; with ``data`` to a POST. An error is raised."""
    address, forwarded = outside(host, port)
    with urllib.request.urlopen(f"http://{address}:{forwarded}{path}", data=data, timeout=timeout) as answer:
        return answer.read().decode()


def cached(host: Any, key: str) -> str:
    """The value of a key in Redis, asked from outside."""
    with socket.create_connection(outside(host, 6379), timeout=60) as connection:
        connection.sendall(f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode())
        answer = connection.makefile("rb")
        length = answer.readline()
        assert length.startswith(b"$"), length
        return answer.read(int(length[1:])).decode()


def failed_units(host: Any) -> str:
    """The units that failed and stay so: a health check that misses once is one until its next turn."""
    until = time.monotonic() + 90
    while True:
        failed = host.check_output("systemctl --failed --no-legend --plain")
        if not failed or time.monotonic() > until:
            return failed
        time.sleep(5)


def run_json(host: Any, command: str) -> Any:
    """The JSON that a command prints."""
    return json.loads(host.check_output(command))


def running(host: Any, engine: str) -> set[str]:
    """The names of the containers that run there, without those that hold a pod's namespaces."""
    flags = "--filter status=running --format '{{.Names}}'"
    return {name for name in host.check_output(f"{engine} ps {flags}").split() if not name.endswith("-infra")}


def assert_not_restarted(host: Any, names: list[str], commits: int) -> None:
    """There were so many commits, and none of these containers of Podman's was started after the last one."""
    documents = run_json(host, "podman inspect " + " ".join(names))
    started = [datetime.fromisoformat(item["State"]["StartedAt"][:19]) for item in documents]
    lines = [json.loads(line) for line in host.check_output(f"cat {STATE_DIR}/*/journal/*.jsonl").splitlines()]
    committed = [datetime.fromisoformat(line["time"][:19]) for line in lines if line["event"] == "commit"]
    assert len(committed) == commits
    assert max(started) <= max(committed)


def assert_same_containers(host: Any, names: list[str]) -> None:
    """Docker runs the very containers that the inventory has, with their restart policies."""
    before = {
        item["Id"]: item["HostConfig"]["RestartPolicy"]
        for item in inventory(host)["containers"]
        if item["Name"].lstrip("/") in names
    }
    now = run_json(host, "docker inspect " + " ".join(names))
    assert {item["Id"]: item["HostConfig"]["RestartPolicy"] for item in now} == before
    assert all(item["State"]["Running"] for item in now)


def inventory(host: Any) -> Any:
    """The recorded inventory."""
    return run_json(host, f"cat {STATE_DIR}/*/inventory.json")


def plan(host: Any) -> Any:
    """The recorded plan."""
    return run_json(host, f"cat {STATE_DIR}/*/plan.json")
