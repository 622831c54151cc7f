# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything is back on Docker: the same containers on the same bridges."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_the_very_same_containers_run_and_the_job_did_not(host):
    before = {item["Name"].lstrip("/") for item in checks.inventory(host)["containers"] if item["State"]["Running"]}
    assert checks.running(host, "docker") == before
    assert checks.running(host, "podman") == set()
    checks.assert_same_containers(host, sorted(before))


def test_dockers_bridges_have_their_addresses_again(host):
    addresses = host.check_output("ip -brief -4 address")
    for network in checks.inventory(host)["networks"]:
        for config in network["IPAM"]["Config"] or []:
            if network["Driver"] == "bridge" and config.get("Gateway"):
                assert f" {config['Gateway']}/" in addresses, network["Name"]


def test_the_port_that_the_user_closed_is_closed_again_and_its_rule_stands_once(host):
    with pytest.raises(OSError, match="timed out"):
        checks.fetch(host, 8084, "/cgi-bin/ask", timeout=10)
    assert host.check_output("iptables --wait --list-rules DOCKER-USER").count("8084") == 1


def test_nothing_of_the_migration_is_left(host):
    assert host.check_output("find /etc/containers/systemd -type f") == ""
    rules = host.run("iptables-save; nft list ruleset; ufw status; firewall-cmd --list-all-zones").stdout
    assert [
        line for line in rules.splitlines() if "docker_to_podman" in line or "pm-" in line or "podman+" in line
    ] == []
    assert host.run("grep -rF --exclude=*.old -e pm-+ -e podman+ /etc/ufw /etc/firewalld").stdout == ""
