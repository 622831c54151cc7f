# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back on Docker: the very same containers, with what was written on Podman."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks

NAMES = ["blog-app-1", "blog-db-1", "blog-web-1", "cache"]


def test_the_very_same_containers_run_as_they_did(host):
    checks.assert_same_containers(host, NAMES)


def test_docker_has_what_was_written_on_podman_the_first_time(host):
    assert checks.notes(host) == [*checks.EXPECTED["blog_notes"], checks.WRITTEN_BETWEEN]
    for key, value in checks.EXPECTED["cache_keys"].items():
        assert checks.cached(host, key) == value


def test_what_is_not_taken_is_kept(host):
    kept = host.check_output(f"ls {checks.STATE_DIR}/*/kept").split()
    assert {name.rpartition("-")[0] for name in kept} == {"blog", "cache"}


def test_nothing_runs_on_podman_and_no_unit_is_left(host):
    assert host.check_output("podman ps --quiet") == ""
    assert host.check_output("podman secret ls --quiet") == ""
    assert host.check_output("find /etc/containers/systemd -type f") == ""
    assert checks.failed_units(host) == ""


def test_docker_is_enabled_again_and_nothing_of_the_migration_is_in_its_way(host):
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled
    assert "docker_to_podman" not in host.run("iptables-save; nft list tables").stdout
    assert host.run("systemctl cat docker_to_podman-recover.service").rc != 0
