# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A start is rehearsed while Docker serves: once a boot; it leaves nothing behind, and a move does not depend on
it."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError, Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import warm_up

RECORD = {"bridges": ["pm-1"], "images": ["docker.io/blog/web:1", "docker.io/blog/db:1"]}
NAME = "docker_to_podman-rehearsal"
REMOVED = [
    "podman rm --force --ignore --time=0 " + NAME,
    "podman network rm " + NAME,
    "ip link delete pm-rehearsal type bridge",
]


@pytest.fixture
def host(monkeypatch, tmp_path):
    """What was run; ``fails`` are the first words of what takes too long."""

    class Host(list):
        fails = ()
        taken = ("198.51.100.0/24",)

        def run(self, argv, check, timeout):
            assert not check
            assert timeout
            self.append(" ".join(argv))
            if self[-1].startswith(tuple(self.fails)):
                raise CommandError("podman did not finish within 60 s.")
            return Completed(1, "", "")

    found = Host()
    monkeypatch.setattr(warm_up, "run", found.run)
    monkeypatch.setattr(warm_up, "routes", lambda _version: found.taken)
    monkeypatch.setattr(warm_up, "SCRATCH_DIR", str(tmp_path / "scratch"))
    return found


@pytest.mark.parametrize("fails", [(), ("podman create",), ("podman init",), ("podman network",), ("podman rm", "ip")])
def test_it_leaves_nothing_behind_and_may_fail(host, fails):
    host.fails = fails
    assert not warm_up.is_over(RECORD)
    warm_up.perform(RECORD)
    assert warm_up.is_over(RECORD)
    flags = "--image-volume=ignore --no-healthcheck --pull=never --name={0} --network={0}".format(NAME)
    subnet = "--subnet=203.0.113.252/30"
    assert host == [
        *REMOVED,
        "podman network create --disable-dns {0} --interface-name=pm-rehearsal {1}".format(subnet, NAME),
        "podman create {0} docker.io/blog/web:1".format(flags),
        "podman init " + NAME,
        *REMOVED,
    ]
    warm_up.perform(RECORD)
    assert len(host) == 9


@pytest.mark.parametrize(
    ("record", "taken"),
    [({**RECORD, "bridges": []}, ()), (RECORD, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))],
)
def test_without_a_bridge_or_a_free_subnet_there_is_no_network(host, record, taken):
    host.taken = taken
    warm_up.perform(record)
    assert "--network=none" in host[3]


def test_a_pod_is_rehearsed_too_and_its_pause_image_is_on_the_disk_before_the_move(host):
    warm_up.perform(RECORD)
    del host[:]
    record = {**RECORD, "pod": "shop", "graph_root": "/var/lib/containers/storage"}
    assert not warm_up.is_over(record)
    warm_up.perform(record)
    removed = ["podman pod rm --force --ignore {0}-pod".format(NAME), *REMOVED]
    assert host[: len(removed)] == removed
    assert host[-6:] == [
        "podman pod create --network=none --name={0}-pod".format(NAME),
        "sync --file-system /var/lib/containers/storage",
        *removed,
    ]
    assert warm_up.is_over(record)


def test_a_workload_without_images_has_nothing_to_rehearse(host):
    warm_up.perform({**RECORD, "images": []})
    assert host == [*REMOVED, *REMOVED]
