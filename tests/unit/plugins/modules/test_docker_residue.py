# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module does with the parts: only those asked for, the same in check mode, nothing while dockerd runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import iptables
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._removal import firewall, leftovers
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError, write_json
from ansible_collections.podshift.docker_to_podman.plugins.modules import docker_residue

SAVED = "*filter\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\n-A FORWARD -o docker0 -j DOCKER\nCOMMIT\n"


@pytest.fixture
def scripts(monkeypatch):
    """The scripts given to iptables-restore."""
    given = []
    monkeypatch.setattr(leftovers, "require_no_docker", lambda: None)
    monkeypatch.setattr(iptables, "read", lambda family: iptables.parse(SAVED if family == "iptables" else ""))
    monkeypatch.setattr(iptables, "apply", lambda family, script: given.append((family, script)))
    monkeypatch.setattr(iptables, "save", lambda family: SAVED)
    monkeypatch.setattr(iptables, "restore", lambda family, saved: given.append((family, saved)))
    monkeypatch.setattr(firewall, "Outside", AlwaysOpen)
    return given


class AlwaysOpen:
    """All ports answer from outside."""

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        pass

    def answering(self, ports):
        return list(ports)


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "inventory.json"
    write_json(path, {"format": 1, "networks": [], "engine": {"info": {"DockerRootDir": "/srv/none/docker"}}})
    return {"inventory_path": str(path), "parts": ["firewall"]}


def test_check_mode_finds_the_same_and_removes_nothing(scripts, params):
    checked = docker_residue.clean(params, True)
    assert scripts == []
    assert docker_residue.clean(params, False) == checked
    assert checked["changed"]
    assert checked["found"] == {
        "firewall": [
            "iptables filter: chain DOCKER",
            "iptables filter: -A FORWARD -o docker0 -j DOCKER",
            "iptables filter: policy DROP of FORWARD",
        ]
    }
    expected = "*filter\n:FORWARD ACCEPT [0:0]\n-D FORWARD -o docker0 -j DOCKER\n-F DOCKER\n-X DOCKER\nCOMMIT\n"
    assert scripts == [("iptables", expected)]


def test_a_port_that_another_firewall_would_close_keeps_dockers_rules(scripts, params, monkeypatch):
    """ufw's policy is DROP too, and Docker's rules are what let published ports through it."""
    ports = [{"host_ip": "", "host_port": number, "proto": "tcp", "container": "web"} for number in (80, 443)]
    write_json(Path(params["inventory_path"]).parent / "plan.json", {"format": 1, "workloads": [{"ports": ports}]})

    class Closes(AlwaysOpen):
        def answering(self, ports):
            return [port for port in ports if port["host_port"] == 80 or not scripts]

    monkeypatch.setattr(firewall, "Outside", Closes)
    with pytest.raises(leftovers.ResidueError, match="port 443 would not answer from outside any more, so they stay"):
        docker_residue.clean(params, False)
    assert scripts[-1] == ("iptables", SAVED)


def test_a_running_dockerd_keeps_everything(params, monkeypatch):
    def runs():
        raise leftovers.ResidueError("dockerd runs (process 1).")

    monkeypatch.setattr(leftovers, "require_no_docker", runs)
    with pytest.raises(leftovers.ResidueError):
        docker_residue.clean(params, False)
    assert not docker_residue.clean({**params, "parts": ["data_root"]}, True)["changed"]


def test_a_data_root_that_is_gone_is_nothing_to_do(scripts, params):
    gone = docker_residue.clean({**params, "parts": ["data_root"]}, False)
    assert (gone["changed"], gone["found"]) == (False, {"data_root": []})


def test_a_damaged_inventory_is_one_sentence(scripts, params):
    with open(params["inventory_path"], "w") as stream:
        stream.write("{")
    with pytest.raises(StateError, match="is damaged"):
        docker_residue.clean(params, False)


def test_what_fails_half_way_puts_all_rules_back(scripts, params, monkeypatch):
    monkeypatch.setattr(iptables, "read", lambda _family: iptables.parse(SAVED))

    def apply(family, script):
        if family == "ip6tables":
            raise CommandError("ip6tables-restore failed.")
        scripts.append((family, script))

    monkeypatch.setattr(iptables, "apply", apply)
    with pytest.raises(CommandError):
        docker_residue.clean(params, False)
    assert scripts[1:] == [("iptables", SAVED), ("ip6tables", SAVED)]
