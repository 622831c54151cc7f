# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing volumes: what belongs to Podman is never touched, the rest is made equal to Docker's."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import disk_space
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.progress import Progress
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job import tasks
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state import ownership
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.engine_state import (
    EngineState,
    open_engine,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.ownership import Ownership
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError, write_json
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import clone, mounts, overlay_layers
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import locate, space
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds as _rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import transfer as volume_copies
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.locate import SOURCE_LABEL, VolumeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_podman import FakePodman
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.mounting import MAY_MOUNT

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")

PATIENCE = volume_copies.Patience(60, "stop", 0)
NFS = {"type": "nfs", "device": ":/export", "o": "addr=192.0.2.1,rw"}
TMPFS = {"type": "tmpfs", "device": "tmpfs", "o": "size=10G"}


@pytest.fixture
def podman(tmp_path, monkeypatch):
    return FakePodman(tmp_path / "podman").install(monkeypatch)


@pytest.fixture
def docker(tmp_path):
    """Makes a volume of Docker's with this content and returns its entry in the plan."""

    def make(name, content="from docker", **changes):
        folder = tmp_path / "docker" / "volumes" / name / "_data"
        folder.mkdir(parents=True)
        (folder / "data").write_text(content)
        entry = {"source": str(folder), "docker_name": name, "name": name, "path": "/data", "strategy": "copy"}
        return {**entry, "labels": {}, "driver_opts": {}, **changes}

    return make


@pytest.fixture
def transfer(tmp_path):
    plan, engine = {"engine": {"data_root": str(tmp_path / "docker")}}, EngineState(tmp_path / "state")

    def call(volumes=(), committed=(), check=False, patience=PATIENCE, rounds=None, show=lambda _picture: None):
        owners = Ownership([{"name": "blog", "volumes": list(volumes)}], [{"volumes": list(committed)}])
        found = volume_copies.transfer(plan, engine, owners, patience, Progress(show), check=check)
        if rounds is not None:
            rounds.extend(found[0]["rounds"])
        return [(volume["name"], volume["action"]) for volume in found]

    return call


def held(podman, name):
    with open(os.path.join(podman.volumes[name]["Mountpoint"], "data")) as stream:
        return stream.read()


def test_volumes_of_committed_workloads_are_never_touched(podman, docker, transfer):
    volume = docker("v")
    (podman.add_volume("v", {SOURCE_LABEL: volume["source"]}) / "data").write_text("written under Podman")
    for check in (True, False):
        assert transfer([], [volume], check=check) == [("v", "skipped")]
        # Even when a workload that is still Docker's claims the same volume.
        assert transfer([volume], [volume], check=check) == [("v", "skipped")]
        other = {**docker("other-" + str(check)), "name": "v"}
        assert transfer([other], [volume], check=check) == [("v", "skipped")]
    assert held(podman, "v") == "written under Podman"
    assert podman.writes() == []


def test_a_volume_is_created_as_it_was_and_filled(podman, docker, transfer):
    volume = docker("v", labels={"owner": "a b, c=d"}, driver_opts={"o": "size=10G"})
    assert transfer([volume, volume]) == [("v", "copied")]
    assert podman.volumes["v"]["Labels"] == {"owner": "a b, c=d", SOURCE_LABEL: volume["source"]}
    assert podman.volumes["v"]["Options"]["o"].startswith("size=10G,")
    assert held(podman, "v") == "from docker"


def test_a_second_call_changes_nothing_and_a_third_follows_docker(podman, docker, transfer):
    volume = docker("v")
    transfer([volume])
    assert transfer([volume], check=True) == transfer([volume]) == [("v", "unchanged")]
    with open(volume["source"] + "/data", "w") as stream:
        stream.write("changed")
    assert transfer([volume], check=True) == [("v", "would-copy")]
    assert held(podman, "v") == "from docker"
    assert transfer([volume]) == [("v", "copied")]
    assert held(podman, "v") == "changed"


@pytest.mark.parametrize(
    ("own", "given"),
    [
        ({}, {"nocopy": "", "o": "uid=0,gid=0"}),
        ({"o": "size=10G"}, {"nocopy": "", "o": "size=10G,uid=0,gid=0"}),
        (TMPFS, {**TMPFS, "nocopy": "", "o": "size=10G,uid=0,gid=0"}),
        ({**TMPFS, "o": "uid=1000"}, {**TMPFS, "nocopy": "", "o": "uid=1000"}),
        (
            {"type": "none", "device": "/srv", "o": "bind"},
            {"type": "none", "device": "/srv", "nocopy": "", "o": "bind,uid=0,gid=0"},
        ),
        (NFS, {**NFS, "nocopy": ""}),
        ({"device": "/dev/vdb"}, {"device": "/dev/vdb"}),
    ],
)
def test_podman_neither_fills_nor_gives_away_a_volume_that_is_empty(own, given):
    assert locate.options({"driver_opts": own}) == given


@pytest.mark.parametrize("options", [NFS, TMPFS])
def test_of_a_volume_whose_data_lies_elsewhere_only_the_definition_moves(podman, docker, transfer, options):
    volume = docker("v", driver_opts=options)
    assert transfer([volume], check=True) == [("v", "would-create")]
    assert transfer([volume]) == [("v", "created")]
    assert transfer([volume], check=True) == transfer([volume]) == [("v", "unchanged")]
    assert locate.options(volume).items() <= podman.volumes["v"]["Options"].items()
    assert os.listdir(podman.volumes["v"]["Mountpoint"]) == []


def test_a_volume_of_an_earlier_version_is_ours_too(podman, docker, transfer):
    podman.add_volume("v", {}, NFS)
    assert transfer([docker("v", driver_opts=NFS)]) == [("v", "unchanged")]


def test_check_mode_before_podman_is_there(podman, docker, transfer, monkeypatch):
    monkeypatch.setattr(volume_copies.storage, "installed", lambda: False)
    assert transfer([docker("v"), docker("w", driver_opts=NFS)], check=True) == [
        ("v", "would-copy"),
        ("w", "would-create"),
    ]
    assert podman.calls == []


def adopted(volume, tmp_path):
    return {**volume, "strategy": "adopt", "place": str(tmp_path / "docker_adopted" / volume["name"])}


def test_an_adopted_volume_is_neither_copied_nor_a_volume_of_podman(podman, docker, transfer, tmp_path, monkeypatch):
    monkeypatch.setattr(disk_space.os, "statvfs", lambda _folder: os.statvfs_result((1, 1, 1, 1, 1, 1, 1, 1, 1, 1)))
    volume, before = adopted(docker("v"), tmp_path), os.stat(str(tmp_path / "docker" / "volumes" / "v" / "_data"))
    assert transfer([volume], check=True) == [("v", "would-adopt")]
    assert not os.path.lexists(volume["place"])
    assert transfer([volume]) == [("v", "adopted")]
    assert os.readlink(volume["place"]) == volume["source"]
    assert os.stat(str(tmp_path / "docker_adopted")).st_mode & 0o7777 == 0o710
    assert transfer([volume], check=True) == transfer([volume]) == [("v", "unchanged")]
    assert os.stat(volume["source"]) == before
    assert podman.writes() == []


def test_the_cutover_syncs_no_adopted_volume_but_wants_it_staged(podman, docker, transfer, tmp_path):
    volume, other = adopted(docker("v"), tmp_path), docker("w")
    transfer([other])
    plan, engine = {"engine": {"data_root": str(tmp_path / "docker")}}, EngineState(tmp_path / "state")
    workload = {"volumes": [volume, other]}
    with pytest.raises(VolumeError, match="Volume v is not staged; run the role stage first"):
        locate.require_adopted(plan, workload)
    transfer([volume])
    locate.require_adopted(plan, workload)
    assert [trees.name for trees in locate.trees(plan, engine, workload)] == ["w"]
    shutil.rmtree(volume["source"])
    with pytest.raises(TreeError, match="does not exist"):
        locate.require_adopted(plan, workload)


def refusals():
    def foreign(podman, volume):
        (podman.add_volume("v") / "data").write_text("somebody's")

    def foreign_and_empty(podman, volume):
        podman.add_volume("v")

    def of_another_volume(podman, volume):
        podman.add_volume("v", {SOURCE_LABEL: volume["source"] + "-other"})

    def other_options(podman, volume):
        volume["driver_opts"] = NFS
        podman.add_volume("v", {}, {**NFS, "device": ":/other"})

    def running(podman, volume):
        podman.add_volume("v", {SOURCE_LABEL: volume["source"]})
        podman.running["v"] = "blog-db-1"

    def elsewhere(podman, volume):
        podman.add_volume("v")
        podman.volumes["v"]["Mountpoint"] = os.path.dirname(volume["source"])

    def taken(podman, volume):
        volume.update(strategy="adopt", place=os.path.dirname(volume["source"]) + "/place")
        os.symlink("/etc", volume["place"])

    def change(**values):
        return lambda podman, volume: volume.update(values)

    return [
        (foreign, VolumeError, "Podman already has a volume v that was not made from "),
        (foreign_and_empty, VolumeError, "remove it (podman volume rm v)"),
        (of_another_volume, VolumeError, "Podman already has a volume v that was not made from "),
        (other_options, VolumeError, "Podman's volume v has other options than Docker's"),
        (running, VolumeError, "Podman's container blog-db-1 runs on a volume"),
        (elsewhere, TreeError, "is not below"),
        (change(source="/etc"), TreeError, "The data of volume v in /etc is not below"),
        (change(name="../v"), VolumeError, "'../v' cannot be the name"),
        (change(name="--all"), VolumeError, "'--all' cannot be the name"),
        (change(strategy="move"), VolumeError, "unknown strategy 'move'"),
        (taken, TreeError, "is no link to"),
        (
            change(strategy="adopt", place="/none", source="/etc"),
            TreeError,
            "The data of volume v in /etc is not below",
        ),
        (lambda podman, volume: shutil.rmtree(volume["source"]), TreeError, "does not exist"),
    ]


@pytest.mark.parametrize(("prepare", "kind", "said"), refusals())
def test_what_must_not_be_copied_is_refused_before_anything_is(podman, docker, transfer, prepare, kind, said):
    volume = docker("v")
    prepare(podman, volume)
    with pytest.raises(kind) as refusal:
        transfer([docker("first"), volume])
    assert said in str(refusal.value)
    assert podman.writes() == []


@pytest.fixture
def persisted(tmp_path, monkeypatch):
    """A folder of a container that becomes a volume, and its entry in the plan."""
    if not MAY_MOUNT:
        pytest.skip("mounting is not allowed here")
    layer = tmp_path / "docker" / "overlay2" / "top" / "diff"
    (layer / "srv/app").mkdir(parents=True)
    (layer / "srv/app/data").write_text("from the container")
    monkeypatch.setattr(overlay_layers, "mounted", lambda _point, layers: os.open(layers[0], os.O_PATH))
    monkeypatch.setattr(mounts, "detach", lambda _point: None)
    entry = {"source": "c0ffee:/srv/app", "name": "web_srv-app", "path": "/srv/app", "strategy": "persist"}
    return {**entry, "layers": [str(layer)], "labels": {}, "driver_opts": {}}


def test_a_folder_of_a_container_is_copied_like_a_volume(podman, persisted, transfer, tmp_path):
    assert transfer([persisted], check=True) == [("web_srv-app", "would-copy")]
    assert podman.writes() == []
    assert transfer([persisted]) == [("web_srv-app", "copied")]
    assert held(podman, "web_srv-app") == "from the container"
    assert podman.volumes["web_srv-app"]["Labels"] == {SOURCE_LABEL: "c0ffee:/srv/app"}
    assert transfer([persisted], check=True) == transfer([persisted]) == [("web_srv-app", "unchanged")]
    (tmp_path / "docker/overlay2/top/diff/srv/app/data").write_text("changed")
    assert transfer([persisted], check=True) == [("web_srv-app", "would-copy")]
    plan, engine = {"engine": {"data_root": str(tmp_path / "docker")}}, EngineState(tmp_path / "state")
    (trees,) = locate.trees(plan, engine, {"volumes": [persisted]})
    assert _rounds.final(trees).files == 1
    assert held(podman, "web_srv-app") == "changed"


def test_a_folder_of_a_container_is_never_cloned_and_needs_its_room(podman, persisted, transfer, free, monkeypatch):
    monkeypatch.setattr(clone, "can", lambda _source, _path, _folder: True)
    monkeypatch.setattr(clone, "fill", lambda *_given: pytest.fail("cloned"))
    later = time.time() + 2 * 24 * 3600
    monkeypatch.setattr(space.time, "time", lambda: later)
    free(0)
    with pytest.raises(VolumeError, match="but only 0 MB are free"):
        transfer([persisted])
    free(1)
    assert transfer([persisted]) == [("web_srv-app", "copied")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": ["/etc"]}, "The data of volume web_srv-app: its layer /etc is not below"),
        ({"path": "/srv/gone"}, "web_srv-app: /srv/gone does not exist in the container"),
    ],
)
def test_a_folder_of_a_container_that_is_none_is_refused_before_anything_is_written(
    podman, persisted, transfer, change, said
):
    with pytest.raises(TreeError, match=said):
        transfer([{**persisted, **change}])
    assert podman.writes() == []


def test_the_final_sync_is_told_both_folders(podman, docker, transfer, tmp_path):
    volume, elsewhere = docker("v"), docker("w", driver_opts=NFS)
    plan, engine = {"engine": {"data_root": str(tmp_path / "docker")}}, EngineState(tmp_path / "state")
    with pytest.raises(VolumeError, match="Podman has no volume v; run the role stage first"):
        locate.trees(plan, engine, {"volumes": [volume, elsewhere]})
    transfer([volume, elsewhere])
    assert locate.trees(plan, engine, {"volumes": [volume, elsewhere, volume]}) == [
        Trees("v", volume["source"], podman.volumes["v"]["Mountpoint"], tmp_path / "state" / "volumes" / "v.seen")
    ]
    quick = {**volume, "verify": "quick"}
    assert locate.trees(plan, engine, {"volumes": [quick]})[0].memory is None


@pytest.fixture
def pace(monkeypatch):
    """``pace([...])``: how long each warm round takes, in seconds."""

    def set_to(seconds):
        left, now = list(seconds), [0.0]

        def warm(_trees, copied, compared):
            now[0] += left.pop(0)
            return volume_copies.rsync.TreeStats(3, 5_000_000, 0.0, 3)

        monkeypatch.setattr(_rounds, "warm", warm)
        monkeypatch.setattr(volume_copies.time, "monotonic", lambda: now[0])
        monkeypatch.setattr(volume_copies.time, "sleep", lambda pause: now.__setitem__(0, now[0] + pause))

    return set_to


@pytest.mark.parametrize(
    ("seconds", "patience", "rounds"),
    [
        ([50], (60, "stop", 0), 1),
        ([500, 80, 30], (60, "stop", 0), 3),
        ([500, 80, 79], (60, "go", 0), 3),
        ([500, 80, 79, 30], (60, "wait", 600), 4),
        ([500, 480, 100, 90, 20], (60, "wait", 3000), 5),
    ],
)
def test_rounds_are_made_until_one_is_short_enough(podman, docker, transfer, pace, seconds, patience, rounds):
    pace(seconds)
    found = []
    transfer([docker("v")], patience=volume_copies.Patience(*patience), rounds=found)
    assert len(found) == rounds


def test_a_round_that_cloned_does_not_say_how_long_the_final_one_takes(podman, docker, transfer, pace, monkeypatch):
    pace([1, 70, 50])
    warm, cloned, found = _rounds.warm, [10, 0, 0], []
    monkeypatch.setattr(_rounds, "warm", lambda *given, **seen: warm(*given, **seen)._replace(cloned=cloned.pop(0)))
    transfer([docker("v")], rounds=found)
    assert [item["cloned"] for item in found] == [10, 0, 0]


@pytest.mark.parametrize(("when_longer", "wait_for"), [("stop", 0), ("wait", 100)])
def test_a_downtime_that_is_too_long_is_said_with_the_figures(podman, docker, transfer, pace, when_longer, wait_for):
    pace([500, 80, 79, 79, 79])
    with pytest.raises(VolumeError) as refusal:
        transfer([docker("v")], patience=volume_copies.Patience(60, when_longer, wait_for))
    for words in ("about 79 s", "more than 60 s", "copied 5.0 MB", "cold took 500 s", "stage_max_downtime"):
        assert words in str(refusal.value)


def test_each_round_shows_what_it_copies_and_what_it_compares(podman, docker, transfer):
    def seen(*volumes):
        pictures = []
        patience = volume_copies.Patience(0, "go", 0)
        transfer(volumes, patience=patience, show=pictures.append, rounds=[])
        return list(dict.fromkeys((picture["what"], picture["total"]) for picture in pictures))

    first, second = docker("v", "x" * 7000), docker("w", "x" * 500)
    assert seen(first)[:4] == [
        ("volumes of blog, round 1, copied", 7000),
        ("volumes of blog, round 1, compared", 7000),
        ("volumes of blog, round 2, copied", 0),
        ("volumes of blog, round 2, compared", 7000),
    ]
    # Only what is missing is to be copied, and all is compared.
    shown = seen(first, second)
    assert shown[0] == ("volumes of blog, round 1, copied", 500)
    assert ("volumes of blog, round 1, compared", 7500) in shown


def test_staging_and_cutover_never_meet(tmp_path):
    engine = open_engine(str(tmp_path / "state"), "e1", "/run/docker.sock")
    write_json(engine.plan_path, {"format": 1, "engine": {"id": "e1", "data_root": "/"}, "workloads": []})
    given = {"plan_path": str(engine.plan_path), "state_dir": "/", "max_downtime": 1, "when_longer": "go"}
    with ownership.locked(engine), pytest.raises(StateError, match="Another run copies volumes or moves workloads"):
        tasks.volumes({**given, "wait_for": 0, "workloads": []}, False, Progress())


def test_too_little_room_is_said_before_anything_is_made(podman, docker, transfer, monkeypatch):
    monkeypatch.setattr(disk_space.os, "statvfs", lambda _folder: os.statvfs_result((1, 1, 1, 1, 1, 1, 1, 1, 1, 1)))
    for check in (True, False):
        with pytest.raises(VolumeError, match=r"Copying the volumes needs 1 MB below .*, but only 0 MB are free there"):
            transfer([docker("v" + str(check), "x" * 10000)], check=check)
    assert podman.writes() == []


@pytest.fixture
def free(monkeypatch):
    """``free(megabytes)``: what every file system has left."""

    def set_to(megabytes):
        blocks = megabytes * 256
        monkeypatch.setattr(
            disk_space.os, "statvfs", lambda _folder: os.statvfs_result((4096, 4096, 0, 0, blocks, 0, 0, 0, 0, 255))
        )

    return set_to


def test_a_changed_file_is_written_beside_its_old_copy_and_needs_room_for_both(podman, docker, transfer, free):
    volume = docker("v", "x" * 3_000_000)
    free(5)
    with pytest.raises(VolumeError, match="needs 7 MB below"):
        transfer([volume])
    free(8)
    transfer([volume])
    free(2)
    for check in (True, False):
        with pytest.raises(VolumeError, match="needs 4 MB below"):
            transfer([volume], check=check)
    free(4)
    assert transfer([volume]) == [("v", "unchanged")]


def test_of_many_volumes_only_as_many_are_rewritten_at_once_as_are_copied_at_once(podman, docker, transfer, free):
    volumes = [docker(name, "x" * 3_000_000) for name in ("a", "b", "c")]
    free(16)
    transfer(volumes)
    free(7)
    assert transfer(volumes) == [("a", "unchanged"), ("b", "unchanged"), ("c", "unchanged")]
    free(5)
    with pytest.raises(VolumeError, match="needs 7 MB below"):
        transfer(volumes)


@pytest.mark.parametrize(
    ("can_clone", "age", "is_there", "fits"),
    [(True, 2, False, True), (True, 0, False, False), (False, 2, False, False), (True, 2, True, False)],
)
def test_a_clone_needs_room_only_for_what_will_be_copied_again(
    podman, docker, transfer, monkeypatch, can_clone, age, is_there, fits
):
    volume = docker("v", "x" * 10000)
    if is_there:
        podman.add_volume("v", {SOURCE_LABEL: volume["source"]}).joinpath("other").write_text("data")
    later = time.time() + age * 24 * 3600
    monkeypatch.setattr(space.time, "time", lambda: later)
    monkeypatch.setattr(clone, "can", lambda _source, path, _folder: can_clone and path == b"data")
    monkeypatch.setattr(disk_space.os, "statvfs", lambda _folder: os.statvfs_result((1, 1, 1, 1, 1, 1, 1, 1, 1, 1)))
    if fits:
        assert transfer([volume]) == [("v", "copied")]
    else:
        with pytest.raises(VolumeError, match="but only 0 MB are free"):
            transfer([volume])
