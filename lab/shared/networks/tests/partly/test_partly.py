# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One workload has moved, the others have not."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks

MOVED = {"shop-web-1", "shop-api-1", "shop-db-1"}
REMAINED = {"wiki-app-1", "wiki-pages-1", "edge-proxy-1", "desk-front-1", "desk-drawer-1", "agent", "echo"}


def test_each_container_runs_on_one_engine(host):
    assert checks.running(host, "podman") == MOVED
    assert checks.running(host, "docker") == REMAINED


def test_docker_did_not_start_the_others_anew(host):
    checks.assert_same_containers(host, sorted(REMAINED))


def test_docker_keeps_its_networks_and_not_their_addresses(host):
    """Docker's network objects stay, so that the workload can go back; its bridge does not answer at Podman's address."""
    assert "shop_front" in host.check_output("docker network ls --format '{{.Name}}'").split()
    holders = host.check_output("ip -brief address").splitlines()
    assert len([line for line in holders if "172.31.10.254/" in line]) == 1


def test_the_port_that_the_user_closed_in_docker_user_is_closed_for_podman_too(host):
    assert "0.0.0.0:8084" in host.check_output("podman port shop-web-1")
    with pytest.raises(OSError, match="timed out"):
        checks.fetch(host, 8084, "/cgi-bin/ask", timeout=10)


@pytest.mark.parametrize("unit", ["docker_to_podman-recover", "docker_to_podman-coexist-shop"])
def test_what_helps_the_host_is_there(host, unit):
    assert host.service(unit).is_enabled


@pytest.mark.parametrize("table", ["filter", "nat"])
def test_the_way_through_dockers_firewall_is_there_once(host, table):
    """However often Docker and the host have started meanwhile."""
    rules = [rule for rule in host.check_output(f"iptables-save -t {table}").splitlines() if ":shop" in rule]
    assert rules
    assert sorted(set(rules)) == sorted(rules)
