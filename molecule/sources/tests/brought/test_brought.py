# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the migration: where the images and the data came from."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks

# FIEMAP_EXTENT_SHARED of linux/fiemap.h.
SHARED = 0x2000


@pytest.mark.parametrize(("name", "port"), [("kept", 8081), ("gone", 8082)])
def test_the_image_is_that_of_docker_wherever_it_came_from(host, name, port):
    assert checks.fetch(host, port, "/name") == name + "\n"
    (before,) = [item for item in checks.inventory(host)["containers"] if item["Name"] == "/" + name]
    (after,) = checks.run_json(host, f"podman inspect {name}")
    assert "sha256:" + after["Image"] == before["Image"]
    assert after["ImageName"] == f"localhost:5000/team/{name}:1"


def test_the_one_that_the_registry_has_was_pulled_from_it(host):
    log = host.check_output("journalctl --unit docker-registry --output cat")
    pulled = [line for line in log.splitlines() if "GET" in line and "/blobs/" in line]
    assert [line for line in pulled if "team/kept" in line]
    assert not [line for line in pulled if "team/gone" in line]


def test_the_volume_shares_its_blocks_with_dockers(host):
    """Cloned: the same data on the disk, once."""
    (mount,) = host.check_output("podman volume inspect kept_data --format '{{.Mountpoint}}'").splitlines()
    (volume,) = [item for item in checks.inventory(host)["volumes"] if item["Name"] == "kept_data"]
    assert mount != volume["Mountpoint"]
    host.check_output("cmp %s/large %s/large", mount, volume["Mountpoint"])
    extents = host.check_output("xfs_io -r -c 'fiemap -v' %s/large", mount).splitlines()[2:]
    assert extents
    assert all(int(line.split()[-1], 16) & SHARED for line in extents), extents
    numbers = host.check_output("stat --format=%%i %s/large %s/second", mount, mount).splitlines()
    assert numbers[0] == numbers[1]


def test_what_is_mounted_is_mounted(host):
    assert host.run("podman exec kept cat /etc/localtime").rc == 0
    assert host.run("podman exec gone sh -c 'test -S /var/run/docker.sock'").rc == 0


def test_nothing_has_failed(host):
    assert checks.failed_units(host) == ""
