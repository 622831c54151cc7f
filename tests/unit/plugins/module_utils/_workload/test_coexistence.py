# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs of the system do whenever Docker starts beside a workload that has moved."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import addresses, iptables
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import coexistence
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_host import BRIDGE, DOCKERS_RULES, Host

FLUSH = "/usr/bin/env ip address flush label {0} scope global"
GIVEN = {"local": "172.18.0.1/16", "broadcast": ""}
GIVEN_6 = {"local": "fd00:18::1/64", "broadcast": ""}
DOCKERS = iptables.parse(DOCKERS_RULES)


def network(bridge=BRIDGE, podmans="pm-1", given=(GIVEN,)):
    return {"docker_name": "blog", "bridge": bridge, "podman_bridge": podmans, "addresses": list(given)}


def record(*networks, bridges=("pm-1",)):
    return {"workload": "blog", "networks": list(networks), "bridges": list(bridges)}


@pytest.fixture
def host(monkeypatch, tmp_path):
    host = Host()
    host.install(monkeypatch, tmp_path / "units")
    (tmp_path / "system").mkdir()
    return host


@pytest.fixture
def tables(monkeypatch):
    """What Docker has of each family."""
    found = {"iptables": DOCKERS, "ip6tables": {}}
    monkeypatch.setattr(addresses, "links", lambda: ["eth0"])
    return found


NAMES = ("rules", "FORWARD", "FORWARD-once")
NAT = ("POSTROUTING", "POSTROUTING-once")


def rules(folder, family, names, is_needed):
    line = "{0}/usr/bin/env flock --timeout 60 /run/docker_to_podman.lock {1}-restore --wait --noflush {2}/blog/{1}.{3}"
    return [
        line.format("" if is_needed and not name.endswith("-once") else "-", family, folder, name) for name in names
    ]


@pytest.mark.parametrize(
    ("networks", "bridges", "has_six", "flushed", "names"),
    [
        ([network()], ["pm-1"], False, [BRIDGE], [NAMES + NAT, NAMES]),
        # What Docker has rules for has to succeed.
        ([network(given=[GIVEN, GIVEN_6])], ["pm-1"], True, [BRIDGE], [NAMES + NAT, NAMES + NAT]),
        ([network(), network("shop0", "pm-2")], ["pm-1", "pm-2"], False, [BRIDGE, "shop0"], [NAMES + NAT, NAMES]),
        # macvlan has no bridge; what is on the default network has no address to give.
        ([network(bridge="")], ["podman0"], False, [], [NAMES, NAMES]),
        ([network()], [], False, [BRIDGE], []),
    ],
)
def test_the_service_says_what_holds(tmp_path, tables, networks, bridges, has_six, flushed, names):
    tables["ip6tables"] = DOCKERS if has_six else {}
    item = record(*networks, bridges=bridges)
    files = coexistence._files(tmp_path, item, tables)
    unit = files[coexistence.Path(coexistence.UNIT_DIR, "docker_to_podman-coexist-blog.service")]
    commands = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("ExecStart=")]
    wanted = [FLUSH.format(bridge) for bridge in flushed]
    for family, each in zip(iptables.FAMILIES, names):
        wanted += rules(tmp_path, family, each, has_six or family == "iptables")
    assert commands == wanted
    assert "ConditionPathExists={0}/blog/iptables.rules\n".format(tmp_path) in unit
    assert tmp_path / "blog" / "iptables.rules" in files
    assert "WantedBy=docker.service\n" in unit


def test_where_something_may_close_forward_packets_come_before_it(tmp_path, tables):
    tables["iptables"] = iptables.parse(DOCKERS_RULES.replace("COMMIT", "-A FORWARD -j REJECT\nCOMMIT", 1))
    files = coexistence._files(tmp_path, record(network()), tables)
    assert "-I DOCKER-ISOLATION-STAGE-1 1 " in files[tmp_path / "blog" / "iptables.DOCKER-ISOLATION-STAGE-1"]


def test_each_family_keeps_its_own_subnets(tmp_path, tables):
    files = coexistence._files(tmp_path, record(network(given=[GIVEN, GIVEN_6])), tables)
    nat = {
        family: [line for line in files[tmp_path / "blog" / "{0}.rules".format(family)].splitlines() if " -s " in line]
        for family in iptables.FAMILIES
    }
    assert [line.partition(" -s ")[2] for line in nat["iptables"]] == ["172.18.0.0/16 -o pm-1 -j ACCEPT"]
    assert [line.partition(" -s ")[2] for line in nat["ip6tables"]] == ["fd00:18::/64 -o pm-1 -j ACCEPT"]


@pytest.mark.parametrize("name", ["br x", "br\nExecStart=/bin/sh", "br%n", "$br", "-br", "*", "a" * 16, "br;x"])
@pytest.mark.parametrize("where", ["Docker's", "Podman's"])
def test_a_name_that_means_something_to_a_program_stands_in_no_file(tmp_path, tables, name, where):
    item = record(network(bridge=name)) if where == "Docker's" else record(network(), bridges=[name])
    with pytest.raises(UserError, match="has other characters in its name"):
        coexistence._files(tmp_path, item, tables)


@pytest.mark.parametrize(
    ("given", "error"), [("172.18.0.1/16\nCOMMIT", ValueError), ("0/0", ValueError), ("", ValueError)]
)
def test_an_address_is_one(tmp_path, tables, given, error):
    with pytest.raises(error):
        coexistence._files(tmp_path, record(network(given=[{"local": given}])), tables)


def test_it_holds_from_now_on_until_it_ends(host, tmp_path):
    item = record(network())
    folder = tmp_path / "coexist"
    assert not coexistence.holds(folder, item)
    coexistence.install(folder, [item])
    assert coexistence.holds(folder, item)
    assert host.addresses[BRIDGE] == []
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*/*")} == {0o600}
    # Docker starts anew.
    host.addresses[BRIDGE], host.rules = ["172.18.0.1/16"], iptables.parse(DOCKERS_RULES)
    assert not coexistence.holds(folder, item)
    host.docker_starts()
    assert coexistence.holds(folder, item)
    coexistence.end(folder, item)
    coexistence.end(folder, item)
    host.addresses[BRIDGE] = ["172.18.0.1/16"]
    host.docker_starts()
    assert host.addresses[BRIDGE] == ["172.18.0.1/16"]
    coexistence.install(folder, [item])
    coexistence.remove(folder, ["blog"])
    coexistence.remove(folder, ["blog"])
    assert coexistence.found() == []
    assert list(folder.iterdir()) == []
    assert list((tmp_path / "system" / "docker.service.wants").iterdir()) == []


def test_what_does_not_hold_is_said(host, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "_iptables_restore", lambda *_words: coexistence.run(["sync"]))
    with pytest.raises(UserError, match="ended well; see systemctl cat docker_to_podman-coexist-blog.service"):
        coexistence.install(tmp_path / "coexist", [record(network())])
    host.broken = {"address delete"}
    host.addresses[BRIDGE] = ["172.18.0.1/16"]
    with pytest.raises(UserError, match="restart docker_to_podman-coexist-blog.service failed"):
        coexistence.install(tmp_path / "coexist", [record(network())])


def test_a_workload_without_a_bridge_needs_none(host, tmp_path):
    item = record(network(bridge=""), bridges=[])
    coexistence.install(tmp_path / "coexist", [item])
    assert coexistence.holds(tmp_path / "coexist", item)
    assert coexistence.found() == []


def test_what_failed_while_it_went_is_no_failed_service(host, tmp_path, monkeypatch):
    coexistence.install(tmp_path / "coexist", [record(network())])
    ran = []
    monkeypatch.setattr(coexistence, "run", lambda argv, **_how: ran.append(argv[1]))
    coexistence.remove(tmp_path / "coexist", ["blog"])
    assert ran == ["stop", "disable", "daemon-reload", "reset-failed"]
    coexistence.remove(tmp_path / "coexist", ["blog"])
    assert ran[4:] == [], "without a name it would forget the failures of all units"
