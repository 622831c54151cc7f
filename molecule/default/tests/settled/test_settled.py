# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a second run of the playbook: nothing was started again."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_no_container_was_restarted_since_its_commit(host):
    checks.assert_not_restarted(host, ["blog-app-1", "blog-db-1", "blog-web-1", "cache"], commits=2)


def test_docker_is_masked(host):
    for unit in ("docker.service", "docker.socket"):
        assert host.run("systemctl is-enabled %s", unit).stdout.strip() == "masked"


def test_dockers_data_is_kept(host):
    for volume in checks.inventory(host)["volumes"]:
        assert host.file(volume["Mountpoint"]).is_directory
