# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port that the controller reached before stays recorded on the host until it is reached again."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils import _port_check as port_check

PORT = {"container": "web", "host_ip": "", "host_port": 8080, "proto": "tcp"}
OWED = {**PORT, "workload": "blog"}


class Host:
    """The module on a host with one workload: where it is, what is recorded, and which ports the controller reaches."""

    def __init__(self):
        self.owner = "docker"
        self.record = []
        self.under = {"docker": {8080}, "podman": {8080}}
        self.calls = []
        self.fails = self.breaks = self.is_full = False

    def record_ports(self, ports):
        """The module with its option unreached."""
        self.calls.append("record {0}".format(len(ports)))
        if not self.is_full:
            self.record = ports
        return {"failed": True, "msg": "full"} if self.is_full else {"changed": False}

    def module(self, engine, check):
        """The module without it."""
        self.calls.append("look" if check else "move")
        changed = self.owner != engine
        if changed and not check:
            if self.breaks:
                self.owner = engine
                return {"failed": True, "msg": "gone", "workloads": [], "recovered": []}
            self.owner = self.owner if self.fails else engine
        state = "committed" if self.owner == engine else "rolled_back" if self.fails else self.owner
        owed = [port for port in self.record if self.owner == "podman"]
        self.record = self.record if check else owed
        return {
            "changed": changed,
            "workloads": [{"name": "blog", "state": state, "changed": changed, "ports": [PORT]}],
            "unreached": owed,
            "unreached_recorded": self.record,
            "unreached_path": "/state/unreached.json",
        }

    def run(self, engine="podman", check=False):
        """What the task answers."""
        self.calls.clear()
        calls = port_check.Calls(
            lambda: self.module(engine, True), lambda: self.module(engine, check), self.record_ports
        )
        return port_check.watched("192.0.2.7", engine == "podman", check, calls)


@pytest.fixture
def host(monkeypatch):
    host = Host()

    def answering(wanted, _patience=0):
        return [item for item in wanted if item[1]["host_port"] in host.under[host.owner]]

    monkeypatch.setattr(port_check, "answering", answering)
    return host


def test_a_port_that_answers_again_leaves_no_record(host):
    answer = host.run()
    assert not answer.get("failed")
    assert host.calls == ["look", "record 1", "move", "record 0"]
    host.run()
    assert host.calls == ["look", "move"]


def test_a_port_that_does_not_fails_every_run_until_it_answers(host):
    host.under["podman"].clear()
    for _run in range(2):
        answer = host.run()
        assert answer["failed"]
        assert "does not reach port 8080 of web any more" in answer["msg"]
        assert "remove /state/unreached.json" in answer["msg"]
        assert host.record == [OWED]
    assert host.run(check=True)["failed"]
    assert host.calls == ["look"]
    host.under["podman"].add(8080)
    assert not host.run().get("failed")
    assert host.record == []


def test_who_accepts_it_removes_the_record(host):
    host.under["podman"].clear()
    host.run()
    host.record = []
    assert not host.run().get("failed")


def test_a_port_that_never_answered_need_not(host):
    host.under = {"docker": set(), "podman": set()}
    assert not host.run().get("failed")
    assert host.calls == ["look", "move"]


def test_a_controller_that_is_cut_off_right_after_the_move_asks_the_next_time(host):
    host.under["podman"].clear()
    host.breaks = True
    assert host.run()["msg"] == "gone"
    assert host.record == [OWED]
    assert "does not reach port 8080" in host.run()["msg"]


def test_what_was_undone_is_not_asked_for(host):
    host.fails = True
    host.under["podman"].clear()
    answer = host.run()
    assert "msg" not in answer
    assert host.record == []


def test_what_goes_back_owes_nothing(host):
    host.under["podman"].clear()
    host.run()
    answer = host.run(engine="docker")
    assert not answer.get("failed")
    assert host.record == []


def test_on_the_way_back_ports_have_to_answer_again_once(host):
    host.run()
    host.under["docker"].clear()
    answer = host.run(engine="docker")
    assert "does not reach port 8080 of web any more" in answer["msg"]
    assert "unreached.json" not in answer["msg"]
    assert host.record == []
    assert not host.run(engine="docker").get("failed")


def test_nothing_moves_when_the_record_cannot_be_written(host):
    host.is_full = True
    assert host.run() == {"failed": True, "msg": "full"}
    assert host.owner == "docker"


def test_what_another_workload_owes_that_is_on_its_way_stays_recorded(host):
    """The controller was cut off while the shop moved, and the next run does not wait for it."""
    shop = {**PORT, "host_port": 9090, "workload": "shop"}
    host.record = [shop]
    moving = []
    record = host.record_ports
    host.record_ports = lambda ports: moving.append(list(ports)) or record(ports)
    host.run()
    assert moving[0] == [shop, OWED]


def test_who_cannot_look_from_outside_does_not_take_silence_for_success(host):
    host.under["podman"].clear()
    host.run()
    answer = port_check.unseen(host.module("podman", False), True)
    assert answer["failed"]
    assert "reached port 8080 of web before the move and not since" in answer["msg"]
    assert "remove /state/unreached.json" in answer["msg"]
    assert "failed" not in port_check.unseen(host.module("podman", False), False)
    host.record = []
    assert "failed" not in port_check.unseen(host.module("podman", False), True)
    assert port_check.unseen({"failed": True, "msg": "gone"}, True) == {"failed": True, "msg": "gone"}
