# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A published port is tried from where others come from."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import probe
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network.probe import (
    Outside,
    ReachError,
    free_subnet,
    target,
)


@pytest.mark.parametrize(
    ("host_ip", "expected"),
    [
        ("", ("192.0.2.253", True)),
        ("0.0.0.0", ("192.0.2.253", True)),
        ("::", ("2001:db8:6432::1", True)),
        ("10.0.2.15", ("10.0.2.15", True)),
        ("127.0.0.1", ("127.0.0.1", False)),
        ("::1", ("::1", False)),
    ],
)
def test_which_address_is_tried_and_from_where(host_ip, expected):
    gateways = {4: "192.0.2.253", 6: "2001:db8:6432::1"}
    assert target({"host_ip": host_ip, "host_port": 80}, gateways) == expected


def test_the_probe_takes_a_subnet_that_the_host_does_not_use():
    assert free_subnet(4, ["default", "10.0.0.0/8", "2001:db8::/32"]) == "198.51.100.252/30"
    assert free_subnet(4, ["198.51.100.0/24", "203.0.113.252/30"]) == "192.0.2.252/30"
    assert free_subnet(6, ["default", "fe80::/64", "2001:db8:6432::7"]) == "2001:db8:6432::/126"
    with pytest.raises(ReachError, match="All of"):
        free_subnet(6, ["2001:db8::/32"])


def test_a_namespace_that_cannot_be_made_is_one_sentence_and_leaves_nothing(monkeypatch):
    ran = []

    def run(argv, check=True):
        ran.append(argv)
        if argv[1] == "netns" and check:
            raise CommandError("ip failed")

    monkeypatch.setattr(probe, "run", run)
    with pytest.raises(ReachError, match="ip failed"):
        with Outside():
            raise AssertionError("not reached")
    assert ran[-1][-1] == probe.NAMESPACE
    assert ran[-1][2] == "delete"


def can_make_namespaces():
    if os.geteuid() != 0:
        return False
    try:
        made = subprocess.run(["ip", "netns", "add", "d2p-try"], capture_output=True, check=False).returncode == 0
        subprocess.run(["ip", "netns", "delete", "d2p-try"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return made


@pytest.mark.skipif(not can_make_namespaces(), reason="needs root and network namespaces")
def test_what_listens_on_the_host_answers_from_outside_and_what_listens_on_loopback_does_not():
    everywhere, loopback = socket.create_server(("0.0.0.0", 0)), socket.create_server(("127.0.0.1", 0))
    closed = socket.create_server(("0.0.0.0", 0))
    ports = [{"host_ip": "", "host_port": listener.getsockname()[1]} for listener in (everywhere, loopback, closed)]
    ports.append({"host_ip": "127.0.0.1", "host_port": loopback.getsockname()[1]})
    closed.close()
    with everywhere, loopback, Outside() as outside:
        assert outside.answering(ports, timeout=1) == [ports[0], ports[3]]
    assert not os.path.exists("/run/netns/" + probe.NAMESPACE)
    assert not os.path.exists("/sys/class/net/d2p-probe0")
