# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of them is back in Docker, while somebody went on to start its job on Podman."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_it_runs_in_docker_again(host):
    checks.assert_same_containers(host, ["keeper"])


def test_what_its_job_wrote_on_podman_came_along(host):
    assert host.check_output("docker exec keeper cat /data/log").split() == ["done"] * 3


def test_no_job_ran_on_podman_after_its_data_was_carried_back(host):
    assert host.check_output("cat /root/late").splitlines() == ["exit code 1"]


def test_the_others_stay_on_podman(host):
    names = host.check_output("podman ps --format {{.Names}}").split()
    assert {"cache", "picky", "refused", "taken"} <= set(names)
    assert "keeper" not in names
