# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's own files become a layer of its image; the image says nothing that it did not say before."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import disk_space
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import commit as commits
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images.selection import ImageError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.report import obstacles
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman import storage
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import inventory
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_podman import FakePodman
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._plan.test_persist import (
    LAYERS,
    said,
    web,
)

NAME = "localhost/docker_to_podman/committed:web"
BASE = "b" * 64
KILLED, OTHERS = ("docker_to_podman-commit-" + hashlib.sha256(name).hexdigest()[:12] + "-x" for name in (b"web", b"b"))
CONFIG = {
    "architecture": "amd64",
    "config": {"Cmd": ["sleep"], "Healthcheck": {"Test": ["CMD", "true"]}},
    "history": [{"created_by": "base"}],
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]},
}


def plan(policy=True, **changes):
    return make_plan(inventory([web(**changes)]), {"containers": {"web": {"commit": policy}}}, "5.4.2")


def test_the_unit_starts_the_new_image_and_still_says_what_differs_from_the_old_one():
    made = plan(Config__Env=["PATH=/bin", "A=1"], SizeRw=9 << 20)
    (workload,) = made["workloads"]
    assert obstacles(made) == []
    lines = workload["units"]["web.container"].splitlines()
    assert "Image=" + NAME in lines
    assert 'Environment="A=1"' in lines
    assert [image["unit_ref"] for image in workload["images"]] == ["docker.io/library/app:1"]
    assert workload["commits"] == [
        {"container": "web", "name": NAME, "image": "docker.io/library/app:1", "layers": LAYERS}
    ]
    assert len(said(made, "committed")) == 1


def test_who_asks_for_nothing_gets_nothing():
    for made in (plan(False), make_plan(inventory([web()]), None, "5.4.2")):
        assert made["workloads"][0]["commits"] == said(made, "committed") == []
        assert "Image=docker.io/library/app:1" in made["workloads"][0]["units"]["web.container"]


def test_a_working_directory_that_docker_made_is_in_the_image():
    document = inventory([web(Config__WorkingDir="/srv")], changes={web()["Id"]: {"made_workdir": True}})
    for policy, is_mounted in (({"commit": True}, False), ({}, True)):
        made = make_plan(document, {"containers": {"web": policy}}, "5.4.2")
        assert ("type=volume,destination=/srv" in made["workloads"][0]["units"]["web.container"]) is is_mounted


def test_without_the_layers_there_is_no_image():
    made = plan(GraphDriver={"Name": "btrfs", "Data": None}, SizeRw=9 << 20)
    assert len(said(made, "commit")) == len(said(made, "writable-layer")) == 1
    assert made["workloads"] == []


def test_files_with_the_ids_of_the_host_make_no_image():
    """The image's would be shifted once more."""
    info = {"SecurityOptions": ["name=userns"], "DockerRootDir": "/var/lib/docker/231072.231072"}
    document = inventory([web()], engine={"id": "e", "info": info})
    made = make_plan(document, {"containers": {"web": {"commit": True}}}, "5.4.2")
    assert "the engine maps user IDs" in said(made, "commit")[0]


@pytest.fixture
def podman(tmp_path, monkeypatch):
    """A Podman that has the image below, and takes images of which it lacks but the upper layer."""
    fake = FakePodman(tmp_path / "podman").install(monkeypatch)
    fake.add_image(BASE, ["docker.io/library/app:1"], CONFIG["rootfs"]["diff_ids"])
    fake.configs, fake.archives = {BASE: CONFIG}, []

    def run(argv, **options):
        if argv[:2] == ["skopeo", "inspect"]:
            return Completed(0, json.dumps(fake.configs[argv[-1].rpartition("@")[2]]), "")
        if argv[:2] == ["skopeo", "copy"]:
            return take(Path(argv[-2].partition(":")[2]), argv[-1].partition(":")[2])
        if argv[:3] == ["podman", "image", "exists"]:
            return Completed(0 if [i for i in fake.images.values() if argv[3] in i["RepoTags"]] else 1, "", "")
        if argv[:3] == ["podman", "image", "inspect"]:
            argv = [*argv[:3], fake._find(argv[3])]
        return fake.run(argv, **options)

    def take(folder, name):
        manifest = json.loads((folder / "manifest.json").read_text())
        here = [manifest["config"], manifest["layers"][-1]]
        for part in here:
            content = (folder / part["digest"][len("sha256:") :]).read_bytes()
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (part["digest"][7:], part["size"])
        with tarfile.open(str(folder / manifest["layers"][-1]["digest"][7:])) as archive:
            fake.archives.append(archive.getnames())
        config = json.loads((folder / manifest["config"]["digest"][7:]).read_text())
        assert [layer["digest"] for layer in manifest["layers"]] == config["rootfs"]["diff_ids"]
        number = manifest["config"]["digest"][7:]
        fake.configs[number] = config
        fake._name(number, name, config["rootfs"]["diff_ids"])
        return Completed(0, "", "")

    for module in (storage, commits):
        monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(commits, "_SCRATCH", str(tmp_path / "scratch"))
    for left in (KILLED, OTHERS):
        (tmp_path / "scratch" / left).mkdir(parents=True)
    return fake


@pytest.fixture
def workload(tmp_path):
    upper = tmp_path / "docker" / "overlay2" / "top" / "diff"
    upper.mkdir(parents=True)
    (upper / "data").write_text("data")
    commit = {"container": "web", "name": NAME, "image": "docker.io/library/app:1", "layers": [str(upper)]}
    return {"name": "web", "workload": "web", "commits": [commit]}


def made(podman):
    return [number for number, image in podman.images.items() if NAME in image["RepoTags"]]


def test_the_image_has_one_more_layer_and_the_same_settings(podman, workload, tmp_path):
    commits.make(workload)
    (number,) = made(podman)
    config = podman.configs[number]
    assert {**config, "rootfs": 0, "history": 0} == {**CONFIG, "rootfs": 0, "history": 0}
    assert config["rootfs"]["diff_ids"][:-1] == CONFIG["rootfs"]["diff_ids"]
    assert len(config["history"]) == 2
    assert podman.archives == [[".", "data"]]
    assert podman.images[BASE]["RepoTags"] == ["docker.io/library/app:1"]
    # What another workload is about to make stays.
    assert os.listdir(str(tmp_path / "scratch")) == [OTHERS]
    assert podman.calls[-1].startswith("sync --file-system")


def test_a_second_attempt_takes_what_was_written_since_and_leaves_no_old_image(podman, workload):
    commits.make(workload)
    first = made(podman)
    commits.make(workload)
    assert made(podman) == first
    Path(workload["commits"][0]["layers"][0], "more").write_text("more")
    commits.make(workload)
    assert len(podman.images) == 2
    assert made(podman) != first
    assert podman.archives[-1] == [".", "data", "more"]


def test_a_workload_without_images_of_its_own_costs_nothing(podman):
    for workload in ({"workload": "web", "commits": []}, {"workload": "by an older version"}):
        commits.require({}, workload)
        commits.make(workload)
    assert podman.calls == []


def test_what_cannot_be_made_is_refused_before_anything_stops(podman, workload, tmp_path, monkeypatch):
    plan = {"engine": {"data_root": str(tmp_path / "docker")}}
    commits.require(plan, workload)
    monkeypatch.setattr(disk_space, "short", lambda what, *_rest: what + " needs room.")
    with pytest.raises(ImageError, match=r"The image of container web needs room\. Nothing was changed\."):
        commits.require(plan, workload)
    Path(workload["commits"][0]["layers"][0], ".wh.x").write_text("")
    with pytest.raises(ImageError, match=r"^The image of container web cannot be made: the name '/\.wh\.x'"):
        commits.require(plan, workload)
    with pytest.raises(TreeError, match="^The image of container web: its layer"):
        commits.require({"engine": {"data_root": "/var/lib/docker"}}, workload)
    assert podman.writes() == []


def test_an_image_that_arrives_as_another_one_is_none(podman, workload, monkeypatch):
    monkeypatch.setattr(podman, "_name", lambda number, name, layers: FakePodman._name(podman, "f" * 64, name, layers))
    with pytest.raises(ImageError, match="arrived as another one"):
        commits.make(workload)


def test_without_the_image_below_there_is_none(podman, workload):
    podman.images.clear()
    with pytest.raises(ImageError, match="Podman has no image docker.io/library/app:1"):
        commits.make(workload)
