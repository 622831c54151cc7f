# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A UDP service that never answers is there when a datagram reaches its socket."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import port_check


class Outside:
    """Sends from here; TCP ports below 1024 accept."""

    def answering(self, ports):
        return [port for port in ports if port["host_port"] < 1024]

    def send(self, port):
        family = socket.AF_INET6 if ":" in port["host_ip"] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.sendto(b"", (port["host_ip"], port["host_port"]))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_datagram_that_reaches_a_silent_socket_counts(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as service:
        service.bind((address, 0))
        port = {"container": "dns", "host_ip": address, "host_port": service.getsockname()[1], "proto": "udp"}
        assert port_check.answering([port], {"dns": os.getpid()}, Outside()) == [port]


def test_one_that_reaches_nobody_does_not(monkeypatch):
    monkeypatch.setattr(port_check, "_PATIENCE", 0.1)
    monkeypatch.setattr(port_check, "received", lambda _process: port_check.Received(7, 7))
    port = {"container": "dns", "host_ip": "127.0.0.1", "host_port": 9, "proto": "udp"}
    assert port_check.answering([port], {"dns": os.getpid()}, Outside()) == []


def test_a_container_that_does_not_run_has_no_sockets():
    port = {"container": "dns", "host_ip": "127.0.0.1", "host_port": 9, "proto": "udp"}
    assert port_check.answering([port], {"dns": 0}, Outside()) == []
    assert port_check.answering([port], {}, Outside()) == []


def test_tcp_is_tried_as_ever():
    web, far = ({"container": "web", "host_ip": "", "host_port": port, "proto": "tcp"} for port in (80, 8080))
    assert port_check.answering([web, far], {}, Outside()) == [web]
