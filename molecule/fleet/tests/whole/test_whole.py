# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that failed was repaired; the same playbook, run again, moved it and left the other alone."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_both_have_moved(host):
    assert checks.running(host, "podman") == {"cache"}
    assert not host.service("docker").is_running
    assert checks.cached(host, "greeting") == host.ansible.get_variables()["inventory_hostname"]
    assert checks.failed_units(host) == ""


def test_none_was_started_twice(host):
    checks.assert_not_restarted(host, ["cache"], commits=1)
