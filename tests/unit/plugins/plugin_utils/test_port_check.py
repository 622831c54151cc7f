# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port that answered the controller has to answer it again: the host does not know every firewall before it."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils import _port_check as port_check


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
    assert port_check.host(given) == name


@pytest.mark.parametrize("name", ["a" * 64 + ".example.com", "blog..example.com"])
def test_a_name_that_cannot_be_one_answers_nothing(name):
    assert port_check.answering(port_check.targets([port(80)], name)) == []


def test_what_is_for_the_host_alone_is_not_tried():
    ports = [
        port(1),
        port(2, "0.0.0.0"),
        port(3, "::"),
        port(4, "198.51.100.9"),
        port(5, "127.0.0.1"),
        port(6, "", "udp"),
    ]
    found = port_check.targets(ports, "192.0.2.7")
    assert [(address, item["host_port"]) for address, item in found] == [
        ("192.0.2.7", 1),
        ("192.0.2.7", 2),
        ("192.0.2.7", 3),
        ("198.51.100.9", 4),
    ]
    assert port_check.targets(ports, "") == []


def test_what_listens_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        wanted = [("127.0.0.1", port(server.getsockname()[1]))]
        assert port_check.answering(wanted) == wanted
    assert port_check.answering(wanted) == []


RESULTS = [
    {"name": "blog", "state": "committed", "changed": True, "ports": [port(8080)]},
    {"name": "shop", "state": "committed", "changed": True, "ports": [port(9090, container="till")]},
]
PORTS = [{**port(8080), "workload": "blog"}, {**port(9090, container="till"), "workload": "shop"}]


def test_the_ports_of_what_moves_know_their_workload():
    assert port_check.ports({"workloads": RESULTS}) == PORTS
    assert port_check.ports({"workloads": [RESULTS[0], {**RESULTS[1], "changed": False}]}) == PORTS[:1]
    assert port_check.ports({"failed": True}) == []


@pytest.mark.parametrize("change", [{"state": "rolled_back"}, {"changed": False}])
def test_only_what_moved_is_asked_for(change):
    assert port_check.moved({"workloads": RESULTS}, PORTS[:1]) == PORTS[:1]
    assert port_check.moved({"workloads": [{**item, **change} for item in RESULTS]}, PORTS) == []


def test_what_does_not_answer_is_closed(monkeypatch):
    monkeypatch.setattr(port_check, "_PATIENCE", 0)
    with socket.create_server(("127.0.0.2", 0)) as server:
        ports = [port(server.getsockname()[1]), port(1), port(2, "", "udp")]
        assert port_check.closed(ports, "127.0.0.2") == [ports[1]]


def test_what_is_closed_is_named_and_fails():
    answer = {"workloads": RESULTS, "failed": True, "msg": "shop: It was undone."}
    said = port_check.failed(answer, PORTS, " Or else.")
    assert said["workloads"] == RESULTS
    assert said["msg"].startswith("shop: It was undone.\nOn the host")
    assert "does not reach ports 8080 of web, 9090 of till any more" in said["msg"]
    assert said["msg"].endswith(" Or else.")
    assert port_check.failed({"workloads": RESULTS}, PORTS[:1])["failed"]


def test_when_all_answer_nothing_is_said():
    assert port_check.failed({"workloads": RESULTS}, [], "Or else.") == {"workloads": RESULTS}
