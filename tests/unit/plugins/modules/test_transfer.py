# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_transfer and volume_transfer as Ansible calls them."""

from __future__ import annotations

import shutil

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.progress import Progress
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job import client, tasks
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.engine_state import open_engine
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import append_journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import write_json
from ansible_collections.podshift.docker_to_podman.plugins.modules import image_transfer, volume_transfer
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins import fake_module
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_podman import FakeDocker, FakePodman

ID = "sha256:" + "a" * 64


class JobOnTheSpot:
    """The work without systemd between."""

    def __init__(self, work):
        self.work = work

    def follow(self, given):
        return {**client._result(tasks.answer(self.work, given, False, Progress())), "finished": True}


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with one workload of one image and one volume; ``host.call(module, **arguments)`` runs a module."""
    fake = FakePodman(tmp_path / "podman").install(monkeypatch)
    monkeypatch.setattr(client, "Job", JobOnTheSpot)
    fake.docker_images = {ID: ("a" * 64, [])}
    source = tmp_path / "docker" / "volumes" / "v" / "_data"
    source.mkdir(parents=True)
    (source / "data").write_text("data")
    fake.engine = open_engine(str(tmp_path / "state"), "e1", "/run/docker.sock")
    image = {"source_id": ID, "names": ["docker.io/library/a:1"], "config_digest": ID, "diff_ids": [], "size": 1}
    volume = {"source": str(source), "name": "v", "strategy": "copy", "labels": {}, "driver_opts": {}}
    workload = {"name": "w", "containers": [{"name": "w", "id": "11"}], "images": [image], "volumes": [volume]}
    plan = {"format": 1, "engine": {"id": "e1", "data_root": str(tmp_path / "docker")}, "workloads": [workload]}
    write_json(fake.engine.plan_path, plan)

    def call(module, check=False, **arguments):
        given = {"plan_path": str(fake.engine.plan_path), "_ansible_check_mode": check, **arguments}
        return fake_module.answer(monkeypatch, module, given)

    fake.call = call
    fake.images_arguments = {"tmpdir": str(tmp_path)}
    return fake


def test_images_are_brought_once(host, monkeypatch):
    monkeypatch.setattr(tasks, "Docker", lambda socket: FakeDocker(socket, host.docker_images))
    for check, changed in ((True, True), (False, True), (True, False), (False, False)):
        answer = host.call(image_transfer, check, **host.images_arguments)
        assert answer["changed"] is changed, answer
    assert answer["images"][0]["action"] == "present"


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_volumes_are_brought_once(host):
    for check, changed in ((True, True), (False, True), (True, False), (False, False)):
        answer = host.call(volume_transfer, check)
        assert answer["changed"] is changed, answer
    [volume] = answer["volumes"]
    assert (volume["name"], volume["action"], len(volume["rounds"])) == ("v", "unchanged", 1)
    assert (volume["rounds"][0]["files"], volume["rounds"][0]["bytes"]) == (0, 0)


def test_after_the_commit_nothing_is_asked_of_docker_and_nothing_is_written(host):
    append_journal(host.engine.journal_path("w"), {"event": "commit", "data": {"goal": "podman", "containers": ["11"]}})
    write_json(host.engine.retired_path, {"format": 1})
    for module, key, arguments in (
        (image_transfer, "images", {"socket": "/nowhere"}),
        (volume_transfer, "volumes", {"workloads": ["w"]}),
    ):
        answer = host.call(module, **arguments)
        assert (answer["changed"], [item["action"] for item in answer[key]]) == (False, ["skipped"])
    assert host.writes() == []


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        (image_transfer, {"plan_path": "/nowhere/plan.json"}, "/nowhere/plan.json does not exist; run the role assess"),
        (
            volume_transfer,
            {"plan_path": "/nowhere/plan.json"},
            "/nowhere/plan.json does not exist; run the role assess",
        ),
        (image_transfer, {"socket": "/nowhere"}, "/nowhere does not exist; install and start Docker"),
        (volume_transfer, {"workloads": ["x"]}, "The plan has no workload x; name one of its own."),
    ],
)
def test_trouble_is_one_sentence(host, module, arguments, said):
    assert said in host.call(module, **arguments)["msg"]
