# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After all that went wrong: Docker serves as before, and the copies are whole."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_docker_s_containers_are_the_same_and_run(host):
    listed = host.check_output("docker ps --no-trunc --format '{{.ID}} {{.Names}}' | sort")
    assert listed == host.check_output("cat /root/before")


def test_the_applications_answer(host):
    assert checks.notes(host) == checks.EXPECTED["blog_notes"]


def test_the_copies_are_docker_s(host):
    for name in ("large", "gone"):
        trees = [f"/var/lib/{place}/volumes/{name}/_data/" for place in ("docker", "containers/storage")]
        compared = (
            "rsync --archive --hard-links --acls --xattrs --numeric-ids --checksum --delete --dry-run --itemize-changes"
        )
        assert host.check_output(f"{compared} {trees[0]} {trees[1]}") == ""


def test_podman_has_the_images(host):
    names = host.check_output("podman images --format '{{.Repository}}:{{.Tag}}'").split()
    assert {"docker.io/lab/redis:1", "docker.io/blog/db:1"} <= set(names)


def test_nothing_runs_on(host):
    assert host.run("pgrep -x 'rsync|skopeo'").rc == 1
    assert checks.failed_units(host) == ""
