# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded of a host."""

from __future__ import annotations

import copy
import os
from typing import Any

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import Docker, DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host.processes import Process
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import collect as inventory
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_docker import (
    IMAGE,
    NETWORK,
    VOLUME,
    FakeDocker,
    answers,
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
DB = container("db", 2)


@pytest.fixture(autouse=True)
def host(monkeypatch):
    """A host whose own part is known and whose processes are these."""
    processes = {367: Process("nginx", ("", "/docker/web"), frozenset([7]))}
    monkeypatch.setattr(inventory, "read_processes", lambda _proc: processes)
    monkeypatch.setattr(inventory, "host_facts", lambda *_args: copy.deepcopy(HOST))
    monkeypatch.setattr(inventory, "container_view", lambda found, pid, _proc: {"listening": [pid in found]})


def collect(path, replies, **arguments):
    with FakeDocker(path, replies) as fake:
        return inventory.collect(Docker(fake.socket), **arguments), fake.requests


def test_the_documents_of_docker_are_recorded_unchanged(tmp_path):
    document, requests = collect(tmp_path / "s", answers(WEB, DB))
    assert document["containers"] == [DB, WEB]
    assert (document["images"], document["networks"], document["volumes"]) == ([IMAGE], [NETWORK], [VOLUME])
    assert document["engine"]["version"]["Version"] == "26.1.5+dfsg1"
    assert document["engine"]["config"]["socket"] == str(tmp_path / "s")
    assert document["processes"] == {WEB["Id"]: {"listening": [True]}}
    assert document["changes"] == {
        item["Id"]: {"size": 12, "largest": [], "put": [], "removed": []} for item in (WEB, DB)
    }
    assert not [request for request in requests if not request.startswith("GET ")]
    assert "GET /v1.45/containers/{0}/json?size=1".format(DB["Id"]) in requests


def test_a_host_without_containers_is_an_inventory_too(tmp_path):
    replies = {**answers(), "GET /volumes": {"Volumes": None}}
    document, _requests = collect(tmp_path / "s", replies)
    assert (document["containers"], document["volumes"], document["images"]) == ([], [], [])


def test_a_container_that_was_replaced_meanwhile_is_listed_again(tmp_path):
    """Compose recreates a container between list and inspection."""
    replies = answers(WEB, DB)
    lists = [[{"Id": "99" * 32}, {"Id": WEB["Id"]}], [{"Id": DB["Id"]}, {"Id": WEB["Id"]}]]
    replies["GET /containers/json"] = lambda _handler: lists.pop(0)
    document, requests = collect(tmp_path / "s", replies)
    assert document["containers"] == [DB, WEB]
    assert sum(WEB["Id"] + "/json" in request for request in requests) == 1


def test_a_container_that_never_answers_is_left_out(tmp_path):
    replies = answers(DB)
    replies["GET /containers/json"] = [{"Id": "99" * 32}, {"Id": DB["Id"]}]
    document, _requests = collect(tmp_path / "s", replies)
    assert document["containers"] == [DB]


def test_hundreds_of_containers(tmp_path):
    many = [container("c{0:03d}".format(number), number) for number in range(300)]
    document, _requests = collect(tmp_path / "s", answers(*many))
    assert document["containers"] == many


def test_when_docker_refuses_there_is_no_half_an_inventory(tmp_path):
    replies = answers(WEB, DB)
    replies["GET /containers/{0}/json".format(DB["Id"])] = (500, {"message": "layer not retained"})
    with pytest.raises(DockerError, match="layer not retained"):
        collect(tmp_path / "s", replies)


def test_an_image_name_that_means_another_image_now_is_recorded_as_well(tmp_path):
    newer = {"Id": "sha256:" + "2f" * 32, "RepoTags": ["app:3"]}
    document, _requests = collect(tmp_path / "s", {**answers(WEB), "GET /images/app:3/json": newer})
    assert document["images"] == [IMAGE, newer]


def test_an_image_that_lost_its_name_is_found_by_its_id(tmp_path):
    replies = answers(WEB)
    del replies["GET /images/app:3/json"]
    document, _requests = collect(tmp_path / "s", replies)
    assert document["images"] == [IMAGE]


@pytest.mark.parametrize(
    ("kind", "source", "reads"),
    [
        ("bind", "/run/docker.sock", True),
        ("bind", "/run", True),
        ("bind", "/", True),
        ("bind", "/run/docker", False),
        ("bind", "/srv/run/docker.sock", False),
        ("volume", "/run/docker.sock", False),
        ("tmpfs", "", False),
    ],
)
def test_who_sees_dockers_socket(kind, source, reads):
    mounted = {**DB, "Mounts": [{"Type": kind, "Source": source}]}
    assert inventory._socket_mounts([mounted], "/run/docker.sock") == ([DB["Id"]] if reads else [])


def test_sources_of_bind_mounts_are_looked_at_and_those_of_moved_containers_remembered(tmp_path):
    (tmp_path / "now").mkdir()
    fresh = {**WEB, "Mounts": [{"Type": "bind", "Source": str(tmp_path / "now")}]}
    moved = {**DB, "Mounts": [{"Type": "bind", "Source": "/srv/then"}]}
    then = {"/srv/then": {"type": "folder", "real": "/srv/then"}, "/srv/other": {"type": "file", "real": "/srv/other"}}
    recorded = {"containers": [moved], "host": {"binds": then}}
    document, _requests = collect(tmp_path / "s", answers(fresh), recorded=recorded, moved=[DB["Id"]])
    assert document["host"]["binds"] == {
        "/srv/then": then["/srv/then"],
        str(tmp_path / "now"): {"type": "folder", "real": os.path.realpath(str(tmp_path / "now"))},
    }


def test_what_has_moved_keeps_its_record(tmp_path):
    """Docker shows a moved container stopped, with policy "no": that is not how it ran."""
    recorded, _requests = collect(tmp_path / "s", answers(WEB, DB))
    stopped = copy.deepcopy(WEB)
    stopped["State"].update(Running=False, Pid=0)
    stopped["HostConfig"]["RestartPolicy"]["Name"] = "no"
    document, requests = collect(tmp_path / "s", answers(stopped, DB), recorded=recorded, moved=[WEB["Id"]])
    assert document == recorded
    assert sum(DB["Id"] + "/json" in request for request in requests) == 1


def test_nothing_vanishes_because_its_record_is_missing(tmp_path):
    document, _requests = collect(tmp_path / "s", answers(WEB, DB), recorded={"containers": []}, moved=[WEB["Id"]])
    assert document["containers"] == [DB, WEB]


def test_what_has_moved_keeps_its_record_even_when_docker_has_forgotten_it(tmp_path):
    recorded, _requests = collect(tmp_path / "s", answers(WEB, DB))
    empty = {**answers(), "GET /networks": [], "GET /volumes": {"Volumes": []}}
    empty = {key: value for key, value in empty.items() if "/images/" not in key}
    document, _requests = collect(tmp_path / "s", empty, recorded=recorded, moved=[WEB["Id"]])
    assert document["containers"] == [WEB]
    assert (document["images"], document["networks"], document["volumes"]) == ([IMAGE], [NETWORK], [VOLUME])
    assert document["processes"] == recorded["processes"]
    assert list(document["changes"]) == [WEB["Id"]]
