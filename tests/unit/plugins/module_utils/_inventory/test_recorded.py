# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A record is read again: what counts as a difference, what is damaged, what has moved."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import recorded
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_docker import (
    IMAGE,
    NETWORK,
    VOLUME,
    container,
)

HOST: dict[str, Any] = {
    "units": ["blog.service", "ssh.service", "web-pod.service"],
    "podman": {"installed": "5.4.2", "candidate": "5.4.2", "containers": [], "pods": [], "networks": ["podman"],
               "volumes": [], "secrets": []},
    "listeners": [{"proto": "tcp", "address": "::", "port": 8080, "process": "conmon"}],
    "filesystems": [],
    "socket_readers": ["traefik"],
}  # fmt: skip
WEB = container("web", 1, Status="running", Running=True, Pid=367)

BLOG: dict[str, Any] = {
    "pod": "web",
    "units": {
        "blog.container": "[Container]\n\n[Install]\n", "web.pod": "[Pod]\n", "net.network": "",
        "linked.volume": "[Volume]\nVolumeName=linked\n",
    },
    "containers": [{"name": "blog"}],
    "networks": [{"name": "net"}],
    "volumes": [{"name": "data"}],
    "secrets": [{"name": "password"}],
    "ports": [{"proto": "tcp", "host_port": 8080}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("moved", "begun", "installed", "units", "ports"),
    [
        ([BLOG], [], {}, ["ssh.service"], []),
        ([], [], {"blog.container": "[Container]\n"}, HOST["units"], [8080]),
        ([], [BLOG], {}, HOST["units"], [8080]),
        ([], [BLOG], {"blog.container": "[Container]\n"}, ["ssh.service", "web-pod.service"], [8080]),
        ([], [BLOG], {"blog.container": "[Container]\n\n[Install]\n", "web.pod": "[Pod]\n"}, ["ssh.service"], [8080]),
        ([], [BLOG], {"blog.container": "[Container]\nImage=theirs\n"}, HOST["units"], [8080]),
    ],
)
def test_what_comes_from_a_workload_is_no_stranger_on_its_host(moved, begun, installed, units, ports):
    left = recorded.without(HOST, recorded.owned(moved, begun, installed))
    assert left["units"] == units
    assert [item["port"] for item in left["listeners"]] == ports
    assert left["podman"]["installed"] == "5.4.2"


def test_the_objects_of_a_moved_workload_are_its_own():
    names = {
        "containers": ["blog", "web-infra", "other"], "pods": ["web"], "networks": ["net", "podman"],
        "volumes": ["data", "linked", "other"], "secrets": ["password", "theirs"],
    }  # fmt: skip
    left = recorded.without({**HOST, "podman": {**HOST["podman"], **names}}, recorded.owned([BLOG], [], {}))
    assert {kind: left["podman"][kind] for kind in names} == {
        "containers": ["other"], "pods": [], "networks": ["podman"], "volumes": ["other"], "secrets": ["theirs"],
    }  # fmt: skip


def test_a_moved_container_is_no_unit_that_calls_docker():
    units = [{"name": name, "calls": True, "is_tied": False} for name in ("blog.service", "backup.service")]
    left = recorded.without({**HOST, "docker_units": units}, recorded.owned([BLOG], [], {}))
    assert [unit["name"] for unit in left["docker_units"]] == ["backup.service"]


def test_what_an_interrupted_cutover_has_made_is_no_stranger():
    names = {"containers": ["blog"], "pods": [], "networks": ["net"], "volumes": [], "secrets": []}
    mine = recorded.owned([], [BLOG], {"blog.container": "[Container]\n"})
    left = recorded.without({**HOST, "podman": {**HOST["podman"], **names}}, mine)
    assert (left["podman"]["containers"], left["podman"]["networks"]) == ([], [])


def changed(document: Any, path: str, value: Any) -> Any:
    copied = copy.deepcopy(document)
    node = copied
    *places, last = path.split("/")
    for place in places:
        node = node[int(place) if isinstance(node, list) else place]
    node[last] = value
    return copied


@pytest.mark.parametrize(
    ("path", "value", "is_same"),
    [
        ("containers/0/State/Health", {"Status": "unhealthy", "Log": [{"Output": "no"}]}, True),
        ("containers/0/State/Pid", 9, True),
        ("containers/0/SizeRw", 9, True),
        ("containers/0/NetworkSettings/Networks/net1/IPAddress", "172.30.0.9", True),
        ("engine/info/SystemTime", "later", True),
        ("processes", {}, True),
        ("host/filesystems", [{"free": 1}], True),
        ("networks/0/Containers", {"x": {}}, True),
        ("containers/0/State/Running", False, False),
        ("containers/0/HostConfig/RestartPolicy", {"Name": "no"}, False),
        ("containers/0/NetworkSettings/Networks/net1/Aliases", ["w1"], False),
        ("containers/0/NetworkSettings/Networks/net2", {}, False),
        ("containers/0/Config/Env", [], False),
        ("engine/info/Driver", "btrfs", False),
        ("host/podman/installed", "5.8.6", False),
        ("volumes/0/Labels", {}, False),
        ("images", [], False),
    ],
)
def test_what_counts_as_a_difference(path, value, is_same):
    document = {
        "engine": {"info": {"Driver": "overlay2", "SystemTime": "now"}},
        "containers": [WEB],
        "images": [IMAGE],
        "networks": [NETWORK],
        "volumes": [VOLUME],
        "host": HOST,
        "processes": {WEB["Id"]: {}},
    }
    assert recorded.same(document, changed(document, path, value)) is is_same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 1}',
        '{"format": 1, "engine": {"id": "x"}, "containers": 3}',
        '{"format": 1, "engine": {"id": "x"}, "containers": [{"Id": "y"}]}',
        '{"format": 1, "engine": [], "containers": []}',
        '{"format": 2, "engine": {"id": "x"}, "containers": []}',
    ],
)
def test_a_damaged_record_is_named_and_the_user_told_what_to_do(tmp_path, text):
    path = tmp_path / "inventory.json"
    path.write_text(text)
    with pytest.raises(StateError, match="{0} .*Restore it".format(path)):
        recorded.read(path)


def test_a_whole_record_is_read(tmp_path):
    document = {"format": 1, "engine": {"id": "x"}, "containers": [WEB]}
    (tmp_path / "inventory.json").write_text(json.dumps(document))
    assert recorded.read(tmp_path / "inventory.json") == document
