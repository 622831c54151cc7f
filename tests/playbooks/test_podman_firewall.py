# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ufw is told: containers go out by the host's own bridges, and into no network of Docker's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import write_json

ROLE = Path(__file__).parents[2] / "roles" / "podman"


def told(folder: Path, **found: object) -> list[str]:
    """The lines for ufw with what the tasks found."""
    lines = folder / "lines"
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [str(ROLE / "vars" / "main.yml")],
            "vars": found,
            "tasks": [{"ansible.builtin.copy": {"content": "{{ __podman_ufw_lines }}", "dest": str(lines)}}],
        }
    ]
    (folder / "play.yml").write_text(json.dumps(play))
    done = subprocess.run(["ansible-playbook", str(folder / "play.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return lines.read_text().splitlines()


def first_match(lines: list[str], out: str) -> str:
    """What becomes of a new connection from a migrated network to the interface ``out``."""
    for line in lines:
        words = line.split()
        if words[1] == "ufw-before-forward" and words[words.index("-i" if "-i" in words else "-o") + 1] == "pm-+":
            wanted = words[words.index("-o") + 1] if "-i" in words and "-o" in words else "+"
            if out == wanted or (wanted.endswith("+") and out.startswith(wanted[:-1])):
                return words[-1]
    return ""


def test_new_connections_by_bridges_of_the_host_and_of_docker(tmp_path):
    there = {"files": [{"path": "/sys/class/net/br-" + name} for name in ("lan", "web", "lan.10")]}
    lines = told(
        tmp_path, __podman_br_bridges=there, __podman_named_bridges={"stdout_lines": ["docker0", "br-web", "till0"]}
    )
    ways = {name: first_match(lines, name) for name in ("br-lan", "br-lan.10", "eth0", "docker0", "br-web", "till0")}
    assert ways == {
        "br-lan": "ACCEPT",
        "br-lan.10": "ACCEPT",
        "eth0": "ACCEPT",
        "docker0": "RETURN",
        "br-web": "RETURN",
        "till0": "RETURN",
    }
    assert first_match(lines, "br-0123456789ab") == "RETURN"
    assert len(lines) == len(set(lines))


def test_without_an_inventory_dockers_names_are_known(tmp_path):
    lines = told(tmp_path)
    assert {name: first_match(lines, name) for name in ("eth0", "docker0", "br-0123456789ab")} == {
        "eth0": "ACCEPT",
        "docker0": "RETURN",
        "br-0123456789ab": "RETURN",
    }


def test_the_names_of_dockers_bridges_are_found_in_the_recorded_inventory(tmp_path):
    option = "com.docker.network.bridge.name"
    networks = [
        {"Name": "bridge", "Options": {option: "docker0", "com.docker.network.driver.mtu": "1500"}},
        {"Name": "web", "Options": {option: "br-web"}},
        {"Name": "odd", "Options": {option: "a b\n-j ACCEPT"}},
        {"Name": "plain", "Options": {}},
    ]
    containers = [{"Config": {"Env": ['X="{0}": "br-lan"'.format(option), 'Y=\n "{0}": "br-ex"\n'.format(option)]}}]
    record = tmp_path / "inventory.json"
    write_json(record, {"format": 1, "networks": networks, "containers": containers})
    tasks = yaml.safe_load((ROLE / "tasks" / "ufw.yml").read_text())
    [argv] = [task["ansible.builtin.command"]["argv"] for task in tasks if "argv" in str(task)]
    done = subprocess.run([*argv[:-1], str(record)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["docker0", "br-web"]
