# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first host failed: it is back on Docker, and nobody touched the second."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_docker_serves_on_both(host):
    assert checks.running(host, "docker") == {"cache"}
    assert checks.cached(host, "greeting") == host.ansible.get_variables()["inventory_hostname"]


def test_the_second_was_not_begun(host):
    is_begun = host.run("ls %s", checks.STATE_DIR).rc == 0
    assert is_begun == (host.ansible.get_variables()["inventory_hostname"] == "ailing")
