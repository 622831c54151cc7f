# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port that answered the controller has to answer it again: the host does not know every firewall before it."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils import _seen as seen


def port(number, address="", proto="tcp", container="web"):
    return {"container": container, "host_ip": address, "host_port": number, "proto": proto, "container_port": 80}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("blog.example.com", "blog.example.com"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("localhost", ""),
        ("", ""),
    ],
)
def test_the_address_of_the_host(given, name):
    assert seen.host(given) == name


@pytest.mark.parametrize("name", ["a" * 64 + ".example.com", "blog..example.com"])
def test_a_name_that_cannot_be_one_answers_nothing(name):
    assert seen.answering(seen.targets([port(80)], name)) == []


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


RESULTS = [
    {"name": "blog", "state": "committed", "changed": True, "ports": [port(8080)]},
    {"name": "shop", "state": "committed", "changed": True, "ports": [port(9090, container="till")]},
]
ANSWERED = seen.targets([port(8080), port(9090, container="till")], "192.0.2.7")


@pytest.fixture
def open_ports(monkeypatch):
    """The ports that answer after the move."""
    found = {8080, 9090}
    monkeypatch.setattr(
        seen, "answering", lambda wanted, _patience: [item for item in wanted if item[1]["host_port"] in found]
    )
    return found


def test_all_ports_answer_again(open_ports):
    assert seen.judged({"workloads": RESULTS}, ANSWERED) == {"workloads": RESULTS}


def test_one_that_does_not_is_named_and_fails(open_ports):
    open_ports.remove(8080)
    answer = seen.judged({"workloads": RESULTS}, ANSWERED)
    assert answer["failed"]
    assert "does not reach port 8080 of web any more" in answer["msg"]
    assert answer["workloads"] == RESULTS


def test_one_that_never_answered_need_not(open_ports):
    open_ports.remove(8080)
    assert not seen.judged({"workloads": RESULTS}, ANSWERED[1:]).get("failed")


@pytest.mark.parametrize("change", [{"state": "rolled_back"}, {"changed": False}])
def test_what_did_not_move_is_not_asked_for_and_its_reason_stays(open_ports, change):
    open_ports.clear()
    answer = {"failed": True, "msg": "blog: It was undone.", "workloads": [{**item, **change} for item in RESULTS]}
    assert seen.judged(answer, ANSWERED) == answer
