"""Migrate a real application from Docker to Podman on a disposable machine, and show it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from lablib import instance, ssh
from lablib.cache import LabError

ROOT = Path(__file__).resolve().parents[1]
NAME = "demo"
PORTS = [8080, 6379]
KINDS = {"vm": "a virtual machine", "container": "a machine with this one's kernel"}

REMAINS = """The machine runs on.
Look around:   .venv/bin/python lab/lab.py ssh demo
Away with it:  .venv/bin/python lab/lab.py down demo"""


class Failed(Exception):
    """A sentence for the user: what went wrong and what to do."""


def title(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m", flush=True)


def on_machine(machine: dict[str, Any], command: str) -> None:
    """Run a command on the machine and show what it prints."""
    print(f"$ {command}", flush=True)
    done = subprocess.run([*ssh.argv(machine["port"]), command], stdin=subprocess.DEVNULL, check=False)
    print(flush=True)
    if done.returncode:
        raise Failed(f"On the machine, `{command}` failed with {done.returncode}. {REMAINS}")


def inventory(machine: dict[str, Any]) -> str:
    """An Ansible inventory with the machine in it."""
    ssh = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    variables = {
        "ansible_host": machine["address"],
        "ansible_port": machine["port"],
        "ansible_user": machine["user"],
        "ansible_ssh_private_key_file": machine["identity_file"],
        "ansible_ssh_common_args": ssh + " -o ControlMaster=auto -o ControlPersist=300",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_pipelining": True,
        # Under emulation everything takes several times as long.
        "cutover_ready_timeout": 300,
    }
    return json.dumps({"docker_hosts": {"hosts": {NAME: variables}}})


def playbook(name: str, hosts: Path) -> None:
    """Run a playbook against the machine; its output goes to the terminal."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections")}
    argv = ["ansible-playbook", "-i", str(hosts), name]
    # Ansible refuses to start on a terminal that another program left in non-blocking mode.
    done = subprocess.run(argv, env=environment, cwd=ROOT, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failed(f"The playbook {name} failed with {done.returncode}; its output above says why. {REMAINS}")


def show_data(machine: dict[str, Any]) -> None:
    """What a client elsewhere gets from the published port: it comes from PostgreSQL through nginx."""
    url = f"http://{machine['address']}:{machine['forwards']['8080']}/notes"
    print(f"from outside the machine, GET {url}")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            print(answer.read().decode(), flush=True)
    except OSError as error:
        raise Failed(f"The application does not answer at {url}: {error}. {REMAINS}") from error


def main() -> None:
    """The demo; what goes wrong is one sentence."""
    os.environ["PODSHIFT_LAB"] = os.environ.get("PODSHIFT_LAB") or instance.FASTEST
    try:
        demonstrate()
    except LabError as error:
        sys.exit(f"demo: The machine did not come up. {error}")
    except (Failed, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"demo: {error}")


def demonstrate() -> None:
    """A machine, an application with data, its migration, and what runs then."""
    begin = time.monotonic()
    title("A machine with Docker (built when absent, which takes minutes)")
    instance.down(NAME)
    machine = instance.up(NAME, "debian13", PORTS)
    print(f"It is {KINDS[machine['kind']]}.", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        hosts = Path(folder, "inventory.json")
        hosts.write_text(inventory(machine), encoding="utf-8")
        title("An application with data on Docker")
        playbook(str(ROOT / "lab" / "shared" / "prepare.yml"), hosts)
        on_machine(machine, "docker ps --format 'table {{.Names}}\\t{{.Image}}\\t{{.Status}}\\t{{.Ports}}'")
        show_data(machine)
        title("The migration: ansible-playbook podshift.docker_to_podman.migrate")
        playbook("podshift.docker_to_podman.migrate", hosts)
    title("What runs now")
    on_machine(
        machine, "podman ps --pod --format 'table {{.Names}}\\t{{.PodName}}\\t{{.Image}}\\t{{.Status}}\\t{{.Ports}}'"
    )
    on_machine(machine, "ls /etc/containers/systemd; systemctl is-active docker.service blog-pod.service cache.service")
    show_data(machine)
    title(f"Done in {time.monotonic() - begin:.0f} s; the downtime stands above")
    print(REMAINS)


if __name__ == "__main__":
    main()
