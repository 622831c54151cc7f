# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the repair and a second attempt: the whole host runs on Podman."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_what_was_written_between_the_attempts_moved_too(host):
    assert checks.notes(host) == [*checks.EXPECTED["blog_notes"], checks.WRITTEN_BETWEEN]


def test_everything_runs_on_podman(host):
    names = host.check_output("podman ps --format {{.Names}}").split()
    assert {"blog-app-1", "blog-db-1", "blog-web-1", "cache", "keeper", "picky", "refused", "taken"} <= set(names)
    assert checks.failed_units(host) == ""


def test_what_a_job_wrote_meanwhile_moved_too(host):
    assert host.check_output("podman exec keeper cat /data/log").split() == ["done", "done"]


def test_docker_is_retired(host):
    assert not host.service("docker").is_running
