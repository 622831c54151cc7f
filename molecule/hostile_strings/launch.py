# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on the machine: starts the containers through Docker's API and waits until all have written what they were given.

usage: launch.py SEED
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

import cases

_PATIENCE = 600.0


class Docker(http.client.HTTPConnection):
    """HTTP over Docker's socket: no shell and no command line bends a string."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")


def ask(method: str, path: str, body: Any = None) -> Any:
    """The answer's JSON, None when it has none; an error ends the program."""
    connection = Docker("localhost")
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 400:
        sys.exit(f"{method} {path}: {text.decode()}")
    return json.loads(text) if text else None


def launch(container: cases.Container) -> None:
    """Make its folders, create it, start it, and keep what Docker says about it."""
    folder = Path(cases.ROOT, container.name)
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    probe = Path(__file__).with_name("probe.py").read_text()
    for script in ("/probe/probe", cases.CHECK):
        (folder / Path(script).name).write_text("#!/usr/bin/python3\n" + probe)
        (folder / Path(script).name).chmod(0o755)
    for source in container.mounts.values():
        os.mkdir(source)
        Path(source, "token").write_bytes(source.encode())
    ask("POST", f"/containers/create?name={urllib.parse.quote(container.name)}", container.body())
    ask("POST", f"/containers/{container.name}/start")
    said = ask("GET", f"/containers/{container.name}/json")
    (folder / "docker.inspect.json").write_text(json.dumps(said["Config"]["Labels"]) + "\n")


def awaited(container: cases.Container) -> list[Path]:
    """The files that it writes under Docker."""
    roles = ["start", *(["check"] if container.health else [])]
    return [Path(cases.ROOT, container.name, f"docker.{role}.json") for role in roles]


def main(seed: int) -> None:
    """Start all before waiting for any."""
    os.umask(0o022)
    made = cases.containers(seed)
    for container in made:
        launch(container)
    missing = [path for container in made for path in awaited(container)]
    until = time.monotonic() + _PATIENCE
    while missing and time.monotonic() < until:
        time.sleep(1)
        missing = [path for path in missing if not path.exists()]
    if missing:
        sys.exit(f"Docker's containers did not write {', '.join(map(str, missing))} within {_PATIENCE:.0f} s.")
    print(f"seed {seed}: {len(made)} containers, {len(cases.cases(seed))} strings")


main(int(sys.argv[1]))
