# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the migration, and after every reboot: the same applications and data, on Podman."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host.processes import parse_limits

SERVICES = ["blog-pod", "blog-db-1", "blog-app-1", "blog-web-1", "cache"]


def test_the_same_data_answers_from_outside(host):
    assert checks.notes(host) == checks.EXPECTED["blog_notes"]
    for key, value in checks.EXPECTED["cache_keys"].items():
        assert checks.cached(host, key) == value


def test_the_project_is_a_pod_and_redis_is_a_single_container(host):
    containers = checks.run_json(host, "podman ps --pod --format json")
    pods = {item["Names"][0]: item["PodName"] for item in containers if not item["IsInfra"]}
    assert pods == {"blog-app-1": "blog", "blog-db-1": "blog", "blog-web-1": "blog", "cache": ""}


@pytest.mark.parametrize("name", SERVICES)
def test_quadlet_units_run(host, name):
    service = host.service(name)
    assert service.is_running
    source = host.check_output("systemctl show --property=SourcePath --value %s", name)
    assert source.startswith("/etc/containers/systemd/")
    assert host.file(source).mode == 0o600


def test_the_images_are_the_same(host):
    before = {item["Name"].lstrip("/"): item["Image"] for item in checks.inventory(host)["containers"]}
    after = {
        item["Name"]: "sha256:" + item["Image"]
        for item in checks.run_json(host, "podman inspect blog-app-1 blog-db-1 blog-web-1 cache")
    }
    assert after == before


@pytest.mark.parametrize("name", ["cache", "blog-db-1"])
def test_the_host_shares_as_little_as_under_docker(host, name):
    hosts = host.check_output("podman exec %s cat /etc/hosts", name)
    assert host.check_output("hostname") not in hosts.split()
    inventory = checks.inventory(host)
    (document,) = [item for item in inventory["containers"] if item["Name"] == "/" + name]
    now = parse_limits(host.check_output("podman exec %s cat /proc/1/limits", name))
    assert now["nofile"] == inventory["processes"][document["Id"]]["limits"]["nofile"]


def test_nothing_has_failed(host):
    assert checks.failed_units(host) == ""


def test_docker_is_retired(host):
    for unit in ("docker.service", "docker.socket"):
        assert host.run("systemctl is-active %s", unit).stdout.strip() != "active"
    bridges = [
        name for name in host.check_output("ls /sys/class/net").split() if name == "docker0" or name[:3] == "br-"
    ]
    assert bridges == []


def test_dockers_firewall_rules_do_not_stand_in_the_way(host):
    rules = host.run("iptables-save").stdout
    assert "DOCKER" not in rules
    assert ":FORWARD DROP" not in rules


def test_the_records_are_for_root_alone(host):
    assert host.check_output("find %s -perm /077", checks.STATE_DIR) == ""
