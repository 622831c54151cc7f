# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a cutover that failed: the workload runs in Docker as before, and nothing of it is left on Podman."""

from __future__ import annotations

import json

from ansible_collections.podshift.docker_to_podman.lab.shared import checks

MEMBERS = ["blog-app-1", "blog-db-1", "blog-web-1"]
OTHERS = ["keeper", "picky", "refused", "taken"]


def test_the_very_same_containers_run_in_docker(host):
    checks.assert_same_containers(host, MEMBERS + OTHERS)


def test_they_answer_again(host):
    assert "PONG" in host.check_output("docker exec picky redis-cli ping")
    ask = "exec 3<>/dev/tcp/127.0.0.1/7001; echo PING >&3; head -n 1 <&3"
    assert "PONG" in host.check_output("timeout 20 bash -c %s", ask)


def test_what_systemd_refuses_is_known_before_anything_stands_still(host):
    lines = host.check_output(f"cat {checks.STATE_DIR}/*/journal/refused.jsonl").splitlines()
    assert "stop_docker" not in {json.loads(line)["step"] for line in lines}


def test_the_same_data_answers_from_outside(host):
    assert checks.notes(host) == checks.EXPECTED["blog_notes"]


def test_it_can_be_written_to(host):
    checks.write_note(host, checks.WRITTEN_BETWEEN)
    assert checks.notes(host)[-1] == checks.WRITTEN_BETWEEN


def test_what_a_job_wrote_meanwhile_is_there(host):
    assert host.check_output("docker exec keeper cat /data/log").split() == ["done", "done"]


def test_nothing_of_it_is_left_on_podman(host):
    assert checks.run_json(host, "podman ps --all --format json --filter name=^blog") == []
    assert host.check_output("podman pod ps --quiet") == ""
    assert host.check_output("podman secret ls --quiet") == ""
    units = host.check_output("find /etc/containers/systemd -type f -printf '%f\n'").split()
    beside = ["cache.containers.conf", "cache.dockerenv"]
    assert sorted(units) == sorted(["cache.container", "cache_data.volume", *beside])
    assert [name for name in host.check_output("ls /sys/class/net").split() if name.startswith("pm-")] == []


def test_the_other_workload_moved(host):
    assert host.service("cache").is_running
    for key, value in checks.EXPECTED["cache_keys"].items():
        assert checks.cached(host, key) == value


def test_docker_is_not_retired(host):
    assert host.service("docker").is_running


def test_the_journal_says_that_it_was_undone(host):
    for name in ("blog", "job", "picky", "refused", "taken"):
        lines = host.check_output(f"cat {checks.STATE_DIR}/*/journal/{name}.jsonl").splitlines()
        assert json.loads(lines[-1])["event"] == "rollback"
        assert "commit" not in {json.loads(line)["event"] for line in lines}
