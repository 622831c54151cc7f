# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman's name server: where it listens, and whether it answers."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import name_server
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network.name_server import Server

# Podman 5.4.2, Netavark 1.14: /run/containers/networks/aardvark-dns/shop_back%int and proxy.
INTERNAL = """172.31.20.1
6d8eecc6dc3a 172.31.20.20  shop-api-1,api,6d8eecc6dc3a
"""
OPEN = """172.31.30.1,fd00::1 10.0.2.3
0123456789ab 172.31.30.2 fd00::2 edge-proxy-1,proxy,0123456789ab
"""


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("proxy", OPEN, Server(["172.31.30.1", "fd00::1"], "edge-proxy-1")),
        ("proxy%int", INTERNAL, Server(["172.31.20.1"], "shop-api-1")),
        ("proxy", "172.31.20.1\n", Server(["172.31.20.1"], "proxy")),
        ("proxy", "", None),
        ("other", OPEN, None),
    ],
)
def test_where_the_server_of_a_network_listens(tmp_path, file, text, found):
    (tmp_path / file).write_text(text)
    assert name_server.server("proxy", tmp_path) == found


@pytest.fixture
def port():
    """Of a server that answers what it is asked with the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve():
            said, asker = listening.recvfrom(512)
            if b"\x03web\x00\x00\x01\x00\x01" in said:
                listening.sendto(said, asker)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def test_a_server_answers(port):
    assert name_server.answers("127.0.0.1", "web", port)


def test_nobody_answers(monkeypatch):
    monkeypatch.setattr(name_server, "_SECONDS", 0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        assert not name_server.answers("127.0.0.1", "web", mute.getsockname()[1])


def test_a_server_that_comes_late_is_waited_for(monkeypatch, port):
    """Where nobody listens yet, the kernel says so at once; no try is wasted on that."""
    slept = []
    monkeypatch.setattr(name_server.time, "sleep", slept.append)
    real, refused = socket.socket.connect, [OSError("refused"), OSError("refused")]

    def connect(asking, address):
        if refused:
            raise refused.pop()
        return real(asking, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert name_server.answers("127.0.0.1", "web", port)
    assert slept == [0, 1.0, 1.0]


def test_a_process_that_has_ended_lacks_nothing(monkeypatch):
    monkeypatch.setattr(name_server, "enter", lambda _path: os.stat("/proc/none"))
    assert name_server.is_served(1, [Server(["127.0.0.1", "127.0.0.2"], "web")])


def test_one_of_a_container_s_servers_is_enough(monkeypatch):
    """Each knows the names of all networks of who asks; that of an internal one may be behind a firewall."""
    monkeypatch.setattr(name_server, "enter", lambda _path: None)
    monkeypatch.setattr(name_server, "answers", lambda address, name: (address, name) == ("10.89.0.1", "web"))
    open_, closed = Server(["fd00::1", "10.89.0.1"], "web"), Server(["10.89.1.1"], "db")
    assert name_server.is_served(1, [closed, open_])
    assert not name_server.is_served(1, [closed])
