# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After check mode on a host that nobody has touched: nothing has changed."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_docker_still_runs_everything(host):
    running = host.check_output("docker ps --format {{.Names}}").split()
    assert sorted(running) == ["blog-app-1", "blog-db-1", "blog-web-1", "cache"]
    assert checks.notes(host) == checks.EXPECTED["blog_notes"]


def test_podman_is_not_installed(host):
    assert not host.exists("podman")
    assert not host.file("/etc/containers/systemd").exists


def test_no_state_is_written(host):
    assert not host.file(checks.STATE_DIR).exists
    assert host.run("find /run/docker_to_podman -type f").stdout == ""
