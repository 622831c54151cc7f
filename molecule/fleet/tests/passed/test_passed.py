# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first host failed again; the second has moved."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_each_runs_where_it_should(host):
    name = host.ansible.get_variables()["inventory_hostname"]
    engine = "docker" if name == "ailing" else "podman"
    assert checks.running(host, engine) == {"cache"}
    assert host.service("docker").is_running == (engine == "docker")
    assert checks.cached(host, "greeting") == name
