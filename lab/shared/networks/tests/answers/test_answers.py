# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whichever engine runs what: the same services answer at the same places, reached by the same ways."""

from __future__ import annotations

import re

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks

SUBNETS = {"proxy": r"172\.31\.30\.\d+", "any": r"\d+\.\d+\.\d+\.\d+"}
# The emulator's side of the network card: a client's address is what the service sees.
OUTSIDE = r"10\.0\.2\.2"
ANSWERS = {
    8081: [
        rf"web reached by {OUTSIDE}",
        r"api reached by 172\.31\.10\.10",
        r"db reached by 172\.31\.20\.20",
        "ran once",
    ],
    8082: [
        rf"proxy reached by {OUTSIDE}",
        rf"app reached by {SUBNETS['proxy']}",
        rf"pages reached by {SUBNETS['any']}",
    ],
    8083: [rf"front reached by {OUTSIDE}", rf"drawer reached by {SUBNETS['any']}"],
    9100: [rf"agent reached by {OUTSIDE}"],
}
ECHO = """
import socket
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.settimeout(20)
peer.sendto(b"hello", ("10.0.2.15", 9998))
print(peer.recv(9).decode())
"""


@pytest.mark.parametrize("port", ANSWERS)
def test_each_service_reaches_the_next_one_by_name_and_address(host, port):
    answer = checks.fetch(host, port, "/cgi-bin/ask", timeout=120)
    lines = answer.replace("[", "").replace("]", "").replace("::ffff:", "").splitlines()
    expected = ANSWERS[port]
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), lines


def test_datagrams_are_answered(host):
    assert host.check_output("python3 -c %s", ECHO) == "hello"


def test_who_sends_from_one_port_all_the_time_is_answered_too(host):
    """The kernel remembers where a sender's last datagram went: to the host, while nobody listened, or to the other engine."""
    assert host.service("sender").is_running
    assert host.check_output("echo $(($(date +%s) - $(cat /run/answered)))") in ("0", "1", "2", "3", "4", "5")


def test_the_way_out_is_open_where_it_was_and_closed_where_it_was(host):
    """From a network to the emulator's gateway, which refuses; not from one that is internal. No ping: ufw lets that pass."""
    moved = host.exists("podman") and "shop-web-1" in checks.running(host, "podman")
    engine = "podman" if moved else "docker"
    ask = "sh -c 'wget -T 20 -O - http://10.0.2.2:9/ 2>&1 | busybox grep -q refused && echo out || echo closed'"
    assert host.check_output(f"{engine} exec shop-web-1 {ask}") == "out"
    assert host.check_output(f"{engine} exec shop-db-1 {ask}") == "closed"


def test_nothing_has_failed(host):
    assert checks.failed_units(host) == ""
