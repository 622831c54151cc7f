# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the transfer: Podman's images are Docker's."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks

CONTAINERS = ["base", "first", "second", "third", "fourth", "fifth", "moved", "unnamed"]
NAMES = {
    "base": {"docker.io/lab/base:1"},
    "first": {"docker.io/lab/first:1", "docker.io/lab/moved:1"},
    "second": {"docker.io/lab/second:1"},
    "third": {"example.org:5000/team/third:2.0-rc.1", "docker.io/lab/also-third:1"},
    "fourth": {"docker.io/lab/fourth:1"},
    "fifth": {"docker.io/lab/fifth:1"},
    "moved": set(),
    "unnamed": set(),
}


@pytest.fixture(params=CONTAINERS)
def pair(host, request):
    """A container's image as Docker and as Podman describe it."""
    number = checks.run_json(host, f"docker container inspect {request.param}")[0]["Image"]
    listed = [image for workload in checks.plan(host)["workloads"] for image in workload["images"]]
    planned = next(image for image in listed if image["source_id"] == number)
    docker = checks.run_json(host, f"docker image inspect {number}")[0]
    return request.param, docker, checks.run_json(host, f"podman image inspect {planned['unit_ref']}")[0]


def test_the_image_is_the_same(pair):
    _name, docker, podman = pair
    assert podman["RootFS"]["Layers"] == docker["RootFS"]["Layers"]
    assert podman["Architecture"] == docker["Architecture"]
    if "overlay2" in docker["GraphDriver"]["Name"]:
        assert podman["Id"] == docker["Id"].split(":")[1]


def test_what_it_runs_is_the_same(pair):
    _name, docker, podman = pair
    for key in ("Cmd", "Entrypoint", "Env", "User", "Labels", "Volumes", "StopSignal", "WorkingDir"):
        assert (podman["Config"].get(key) or None) == (docker["Config"].get(key) or None), key
    assert (podman.get("HealthCheck") or podman.get("Healthcheck")) == docker["Config"].get("Healthcheck")


def test_its_files_are_the_same(host, pair):
    """Names, modes, owners, sizes and times; what an engine adds to a container is left out."""
    name, _docker, podman = pair
    listing = (
        r"tar --list --verbose --numeric-owner --full-time | grep -vE ' (dev|etc|proc|sys|run)?/|\.dockerenv' | sort"
    )
    host.check_output(f"podman create --name look-{name} {podman['Id']} sh")
    ours = host.check_output(f"podman export look-{name} | {listing}")
    host.check_output(f"podman rm look-{name}")
    assert ours == host.check_output(f"docker export {name} | {listing}")


def test_any_user_gets_into_it(host, pair):
    name, _docker, podman = pair
    root = host.check_output(f"podman image mount {podman['Id']}")
    # Docker's own is 755; Podman leaves the owner's right to write to CAP_DAC_OVERRIDE.
    assert host.check_output(f"stat --format=%a {root}") == "555", name
    host.check_output(f"podman image unmount {podman['Id']}")


def test_its_names_are_complete(pair):
    name, _docker, podman = pair
    assert set(podman["RepoTags"] or []) == NAMES[name]


def test_nothing_has_a_name_that_no_registry_gave(host):
    names = host.check_output("podman images --format '{{.Repository}}'").split()
    assert [name for name in names if name.startswith("localhost/")] == []


def test_no_temporary_file_is_left(host):
    assert host.run("ls -d /var/tmp/docker_to_podman* /var/lib/docker/tmp/docker-export*").stdout == ""


def test_the_work_left_no_failed_service(host):
    assert checks.failed_units(host) == ""
