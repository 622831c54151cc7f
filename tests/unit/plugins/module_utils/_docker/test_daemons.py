# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which dockerds run on a host, and in what."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import daemons
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host.processes import parse_cgroup

USERS = "/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service"


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/docker.service\n", "docker.service"),
        ("13:pids:/system.slice/docker.service\n1:name=systemd:/system.slice/docker.service\n", "docker.service"),
        ("1:name=systemd:/system.slice/docker.service\n", "docker.service"),
        ("0::/big.slice/big-apps.slice/docker.service\n", "docker.service"),
        ("0::/system.slice/docker.service/init\n", "docker.service"),
        ("0::/system.slice/snap.docker.dockerd.service\n", "snap.docker.dockerd.service"),
        ("0::" + USERS + "\n", "user@1000.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope"),
        ("0::/docker/f00\n", ""),
        ("0::/\n", ""),
        ("", ""),
    ],
)
def test_the_unit_is_that_of_the_systems_systemd(text, unit):
    group = parse_cgroup(text)
    assert daemons.system_unit(group[1] if group else "/") == unit


def process(proc, number, name, pids="pid:[1]", network="net:[1]", group="/", users="user:[1]"):
    (proc / number / "ns").mkdir(parents=True)
    (proc / number / "comm").write_text(name + "\n")
    (proc / number / "cgroup").write_text("0::" + group + "\n")
    (proc / number / "ns" / "pid").symlink_to(pids)
    (proc / number / "ns" / "net").symlink_to(network)
    (proc / number / "ns" / "user").symlink_to(users)


def test_those_of_users_are_found_and_those_in_containers_are_not(tmp_path):
    process(tmp_path, "self", "python3")
    process(tmp_path, "7", "dockerd", pids="pid:[2]")
    process(tmp_path, "8", "docker")
    (tmp_path / "9").mkdir()
    assert daemons.running(str(tmp_path)) == []
    process(tmp_path, "100", "dockerd", network="net:[2]", group=USERS)
    process(tmp_path, "42", "dockerd", group="/system.slice/docker.service")
    process(tmp_path, "43", "dockerd")
    process(tmp_path, "101", "dockerd", users="user:[2]", group=USERS)
    found = daemons.running(str(tmp_path))
    host = [(42, "/system.slice/docker.service", True), (43, "/", True)]
    assert found == [*host, (100, USERS, False), (101, USERS, False)]
    assert [str(item) for item in found] == [
        "process 42 in /system.slice/docker.service", "process 43 in /", "process 100 in " + USERS, "process 101 in " + USERS,
    ]  # fmt: skip
