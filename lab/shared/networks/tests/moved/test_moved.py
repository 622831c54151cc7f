# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything has moved: networks, addresses and names are those of Docker."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_everything_runs_on_podman_but_the_job_that_has_ended(host):
    before = {item["Name"].lstrip("/") for item in checks.inventory(host)["containers"] if item["State"]["Running"]}
    assert checks.running(host, "podman") == before
    assert "shop-once-1" not in before


@pytest.mark.parametrize("network", ["shop_front", "shop_back", "proxy", "wiki_default"])
def test_networks_are_what_they_were(host, network):
    (docker,) = [item for item in checks.inventory(host)["networks"] if item["Name"] == network]
    (podman,) = checks.run_json(host, f"podman network inspect {network}")
    (before,), (after,) = docker["IPAM"]["Config"], podman["subnets"]
    assert after["subnet"] == before["Subnet"]
    assert after.get("gateway") == before.get("Gateway")
    assert podman["internal"] == docker["Internal"]


@pytest.mark.parametrize("name", ["shop-web-1", "shop-api-1", "shop-db-1"])
def test_given_addresses_are_what_they_were(host, name):
    (docker,) = [item for item in checks.inventory(host)["containers"] if item["Name"] == "/" + name]
    given = {
        network: item["IPAMConfig"]["IPv4Address"]
        for network, item in docker["NetworkSettings"]["Networks"].items()
        if item["IPAMConfig"] and item["IPAMConfig"].get("IPv4Address")
    }
    (podman,) = checks.run_json(host, f"podman inspect {name}")
    addresses = {network: item["IPAddress"] for network, item in podman["NetworkSettings"]["Networks"].items()}
    assert given.items() <= addresses.items()


def test_the_proxy_and_its_applications_are_one_workload(host):
    workloads = [{item["name"] for item in workload["containers"]} for workload in checks.plan(host)["workloads"]]
    assert {"wiki-app-1", "wiki-pages-1", "edge-proxy-1"} in workloads


def test_the_project_without_such_needs_is_a_pod(host):
    pods = {item["Names"][0]: item["PodName"] for item in checks.run_json(host, "podman ps --pod --format json")}
    assert (pods["desk-front-1"], pods["desk-drawer-1"], pods["shop-web-1"]) == ("desk", "desk", "")


def test_the_agent_is_on_the_network_of_the_host(host):
    (agent,) = checks.run_json(host, "podman inspect agent")
    assert agent["HostConfig"]["NetworkMode"] == "host"


def test_docker_is_retired(host):
    assert host.run("systemctl is-enabled docker.service").stdout.strip() == "masked"
    assert [name for name in host.check_output("ls /sys/class/net").split() if name[:3] == "br-"] == []
    assert "DOCKER" not in host.run("iptables-save").stdout
