# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until the commit a published port is the probe's alone."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import port_gate


def port(number, host_ip="", proto="tcp"):
    return {"host_ip": host_ip, "host_port": number, "proto": proto}


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (port(80), "fib daddr type local tcp dport 80 reject with tcp reset"),
        (port(80, "0.0.0.0"), "fib daddr type local tcp dport 80 reject with tcp reset"),
        (port(80, "::"), "fib daddr type local tcp dport 80 reject with tcp reset"),
        (port(53, proto="udp"), "fib daddr type local udp dport 53 drop"),
        (port(3868, proto="sctp"), "fib daddr type local sctp dport 3868 drop"),
        (port(53, "192.0.2.1"), "fib daddr type local ip daddr 192.0.2.1 tcp dport 53 reject with tcp reset"),
        (port(53, "2001:db8::1"), "fib daddr type local ip6 daddr 2001:db8::1 tcp dport 53 reject with tcp reset"),
        (port(53, "127.0.0.1"), "fib daddr type local ip daddr 127.0.0.1 tcp dport 53 reject with tcp reset"),
    ],
)
def test_each_port_is_closed_on_its_addresses_for_others_and_for_the_host(given, rule):
    text = port_gate.script("blog", [given], [], ["pm-1"])
    others, host = text.split("chain host")
    assert rule in others
    assert rule in host


def test_the_probe_the_host_itself_and_the_workloads_own_containers_pass():
    text = port_gate.script("blog", [port(80)], [], ["pm-1", "podman0"])
    assert 'iifname { "lo", "d2p-probe0", "pm-1", "podman0" } accept' in text
    assert "meta mark 6566512 accept" in text


def test_it_can_be_closed_again_and_each_workload_has_its_own():
    text = port_gate.script("blog", [port(80)], [], [])
    name = port_gate.table("blog")
    assert text.startswith("table inet {0}\nflush table inet {0}\ntable inet {0} {{".format(name))
    assert port_gate.table("shop") != name


@pytest.mark.parametrize("link", ['x"; drop', "", "a" * 16, "a b"])
def test_a_bridge_with_a_name_that_is_none_never_reaches_the_firewall(link):
    with pytest.raises(ValueError, match="no name of a link"):
        port_gate.script("blog", [port(80)], [], [link])


def test_nothing_published_nothing_closed(monkeypatch):
    monkeypatch.setattr(port_gate, "run", None)
    port_gate.close({"workload": "blog", "ports": [], "bridges": [], "networks": [{"addresses": []}]})


def test_a_kernel_that_cannot_refuse_drops(monkeypatch):
    given = []

    def run(_argv, input):
        given.append(input)
        if "reject" in input:
            raise CommandError("nft failed.")

    monkeypatch.setattr(port_gate, "run", run)
    port_gate.close({"workload": "blog", "ports": [port(80)], "bridges": ["pm-1"], "networks": []})
    assert "tcp dport 80 reject with tcp reset" in given[0]
    assert given[1] == given[0].replace("reject with tcp reset", "drop")


@pytest.fixture
def scripts(monkeypatch):
    """What nft was given."""
    given = []
    monkeypatch.setattr(port_gate, "run", lambda _argv, **options: given.append(options["input"]))
    return given


def test_who_knows_the_address_of_a_container_waits_too(scripts):
    """A proxy on the host itself, for example."""
    addresses = [{"local": "172.31.10.254/24"}, {"local": "fd00:1::1/64"}]
    record = {"workload": "blog", "ports": [], "bridges": ["pm-1"], "networks": [{"addresses": addresses}]}
    port_gate.close(record)
    others, host = scripts[0].split("chain host")
    for rule in ("ip daddr 172.31.10.0/24 tcp flags", "ip6 daddr fd00:1::/64 tcp flags"):
        assert rule in others
        assert rule in host
    port_gate.open_ports(record)
    assert scripts[1].endswith("delete table inet {0}\n".format(port_gate.table("blog")))


def test_datagrams_wait_from_before_the_stop(scripts):
    record = {"workload": "blog", "ports": [port(80)], "bridges": [], "networks": []}
    port_gate.close_datagrams(record)
    assert scripts == []
    port_gate.close_datagrams({**record, "ports": [port(80), port(53, proto="udp")]})
    assert "udp dport 53 drop" in scripts[0]
    assert "dport 80" not in scripts[0]
