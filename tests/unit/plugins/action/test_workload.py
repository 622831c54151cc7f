# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port that answered the controller has to answer it again: the host does not know every firewall before it."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.action import workload
from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils import _seen as seen

HOST = {"ansible_host": "192.0.2.7", "inventory_hostname": "blog"}


def port(number, address="", proto="tcp", container="web"):
    return {"container": container, "host_ip": address, "host_port": number, "proto": proto, "container_port": 80}


@pytest.mark.parametrize(
    ("task_vars", "name"),
    [
        (HOST, "192.0.2.7"),
        ({"inventory_hostname": "blog.example.com"}, "blog.example.com"),
        ({"ansible_host": "127.0.0.1"}, ""),
        ({"inventory_hostname": "localhost"}, ""),
        ({}, ""),
    ],
)
def test_the_address_of_the_host(task_vars, name):
    assert seen.host(task_vars) == name


def test_what_is_for_the_host_alone_is_not_tried():
    ports = [
        port(1),
        port(2, "0.0.0.0"),
        port(3, "::"),
        port(4, "198.51.100.9"),
        port(5, "127.0.0.1"),
        port(6, "", "udp"),
    ]
    found = seen.targets(ports, "192.0.2.7")
    assert [(address, item["host_port"]) for address, item in found] == [
        ("192.0.2.7", 1),
        ("192.0.2.7", 2),
        ("192.0.2.7", 3),
        ("198.51.100.9", 4),
    ]
    assert seen.targets(ports, "") == []


def test_what_listens_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        wanted = [("127.0.0.1", port(server.getsockname()[1]))]
        assert seen.answering(wanted) == wanted
    assert seen.answering(wanted) == []


@pytest.fixture
def action(monkeypatch):
    """``before`` and ``after`` are the ports that answer; ``calls`` says of each of the module whether it was in check mode."""
    made = object.__new__(workload.ActionModule)
    made._connection = SimpleNamespace(transport="ssh")
    made._task = SimpleNamespace(
        check_mode=False, args={"engine": "podman"}, action="workload", async_val=0, diff=False
    )
    made.calls, made.before, made.after = [], [8080, 9090], [8080, 9090]
    made.results = [
        {"name": "blog", "state": "docker", "changed": True, "ports": [port(8080)]},
        {"name": "shop", "state": "docker", "changed": True, "ports": [port(9090, container="till")]},
    ]

    def execute(module_args, task_vars):
        made.calls.append(made._task.check_mode)
        if made._task.check_mode:
            return {"workloads": made.results}
        return {"workloads": [{**item, "state": made.state} for item in made.results], **made.answer}

    def answering(wanted, patience=0):
        return [item for item in wanted if item[1]["host_port"] in (made.after if patience else made.before)]

    made.state, made.answer = "committed", {}
    made._execute_module = execute
    monkeypatch.setattr(workload.seen, "answering", answering)
    monkeypatch.setattr(workload.FollowingAction.__bases__[0], "run", lambda *_given: {})
    return made


def test_all_ports_answer_again(action):
    assert not action.run(task_vars=HOST).get("failed")
    assert action.calls == [True, False]


def test_one_that_does_not_is_named_and_fails(action):
    action.after = [9090]
    answer = action.run(task_vars=HOST)
    assert answer["failed"]
    assert "does not reach port 8080 of web any more" in answer["msg"]
    assert len(answer["workloads"]) == 2


def test_one_that_never_answered_need_not(action):
    action.before, action.after = [9090], [9090]
    assert not action.run(task_vars=HOST).get("failed")


def test_what_went_back_is_not_asked_for_and_its_reason_stays(action):
    action.state, action.answer, action.after = "rolled_back", {"failed": True, "msg": "blog: It was undone."}, []
    assert action.run(task_vars=HOST)["msg"] == "blog: It was undone."


@pytest.mark.parametrize("change", ["check mode", "local", "through the controller"])
def test_where_the_controller_cannot_tell_it_asks_once(action, change):
    action._task.check_mode = change == "check mode"
    action._connection.transport = "local" if change == "local" else "ssh"
    action.run(task_vars={**HOST, "ansible_host": "127.0.0.1"} if change == "through the controller" else HOST)
    assert action.calls == [change == "check mode"]
