# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrated: everything runs on Podman, and is written to."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_everything_runs_on_podman_and_takes_what_is_written(host):
    assert not host.service("docker").is_running
    before = checks.notes(host)
    assert before[: len(checks.EXPECTED["blog_notes"])] == checks.EXPECTED["blog_notes"]
    checks.write_note(host, checks.WRITTEN_BETWEEN)
    assert checks.notes(host) == [*before, checks.WRITTEN_BETWEEN]


def test_the_services_that_help_a_migration_are_gone(host):
    assert host.run("systemctl cat docker_to_podman-recover.service").rc != 0
    assert not host.file(checks.STATE_DIR + "/program.pyz").exists
