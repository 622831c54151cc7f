# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application wrote into its container itself lives on in volumes that the user names."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import PlanError, is_safe_name
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.report import obstacles
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    inventory,
    volume_mount,
)

LAYERS = ["/var/lib/docker/overlay2/" + name + "/diff" for name in ("top", "top-init", "base")]
OVERLAY = {"Name": "overlay2", "Data": {"UpperDir": LAYERS[0], "LowerDir": ":".join(LAYERS[1:])}}


def web(name="web", **changes):
    return container(name, **{"GraphDriver": OVERLAY, **changes})


def plan(containers, paths, version="5.4.2", name="web", **parts):
    return make_plan(inventory(containers, **parts), {"containers": {name: {"persist": paths}}}, version)


def volumes(made):
    return [volume for workload in made["workloads"] for volume in workload["volumes"]]


def said(made, code):
    return [item["message"] for item in made["findings"] if item["code"] == code]


def test_a_path_becomes_a_volume_that_is_filled_from_the_container():
    made = plan([web()], ["/var/lib/app"])
    assert obstacles(made) == []
    units = made["workloads"][0]["units"]
    assert "Volume=web_var-lib-app.volume:/var/lib/app:suid,dev,nocopy" in units["web.container"].splitlines()
    assert "VolumeName=web_var-lib-app" in units["web_var-lib-app.volume"].splitlines()
    assert volumes(made) == [
        {
            "source": web()["Id"] + ":/var/lib/app",
            "docker_name": None,
            "name": "web_var-lib-app",
            "path": "/var/lib/app",
            "strategy": "persist",
            "layers": LAYERS,
            "verify": "contents",
            "labels": {},
            "driver_opts": {},
        }
    ]
    assert said(made, "persisted") == [
        "/var/lib/app of the container becomes the volume web_var-lib-app; what newer images bring there stays hidden."
    ]


def test_a_container_that_could_not_write_cannot_write_to_its_volume():
    made = plan([web(HostConfig__ReadonlyRootfs=True)], ["/srv"])
    assert "Volume=web_srv.volume:/srv:ro,suid,dev,nocopy" in made["workloads"][0]["units"]["web.container"]


def test_the_other_mounts_stay_as_they_were():
    made = plan([web(Mounts=[volume_mount("v")])], ["/srv"])
    assert [volume["strategy"] for volume in volumes(made)] == ["copy", "persist"]
    assert "Volume=v.volume:/data:suid,dev" in made["workloads"][0]["units"]["web.container"].splitlines()


def test_a_path_is_copied_also_where_volumes_are_adopted():
    rules = {"strategy": "adopt", "containers": {"web": {"persist": ["/srv"]}}}
    made = make_plan(inventory([web(Mounts=[volume_mount("v")])]), rules, "5.4.2")
    assert [(volume["name"], volume["strategy"]) for volume in volumes(made)] == [
        ("v", "adopt"),
        ("web_srv", "persist"),
    ]
    lines = made["workloads"][0]["units"]["web.container"].splitlines()
    assert {"Volume=/var/lib/docker_adopted/v:/data", "Volume=web_srv.volume:/srv:suid,dev,nocopy"} <= set(lines)
    assert [item["subject"] for item in made["findings"] if item["code"] == "volume-adopted"] == ["v"]


def test_two_paths_never_share_a_volume():
    paths = ["/a/b", "/a-b", "/a_b", "/a b", "/" + "x" * 60, "/" + "x" * 61, "/c/d"]
    made = plan([web(Mounts=[volume_mount("web_c-d")])], paths)
    names = [volume["name"] for volume in volumes(made)]
    assert len(set(names)) == len(paths) + 1
    assert all(is_safe_name(name) for name in names)
    assert {"web_a-b", "web_c-d", "web_c-d-1"} <= set(names)
    # The name of a volume is for life: no other path may change it.
    assert {volume["path"]: volume["name"] for volume in volumes(plan([web()], ["/a-b"]))}.items() <= {
        volume["path"]: volume["name"] for volume in volumes(made)
    }.items()


def test_two_containers_never_share_a_volume():
    policy = {"containers": {"a": {"persist": ["/b_c"]}, "a_b": {"persist": ["/c"]}}}
    made = make_plan(inventory([web("a"), web("a_b")]), policy, "5.4.2")
    assert len({volume["name"] for volume in volumes(made)}) == len(made["workloads"]) == 2


def test_a_working_directory_in_it_needs_no_volume_of_its_own():
    one = web(Config__WorkingDir="/srv/app")
    made = plan([one], ["/srv"], changes={one["Id"]: {"made_workdir": True}})
    assert "type=volume" not in made["workloads"][0]["units"]["web.container"]


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("srv", "'srv' is not the whole path of a folder"),
        ("/", "'/' is not the whole path"),
        ("//srv", "'//srv' is not the whole path"),
        ("/srv/", "'/srv/' is not the whole path"),
        ("/srv/../etc", "'/srv/../etc' is not the whole path"),
        ("/a\nb", "'/a\\nb' is not the whole path"),
        ("/a\x80", "no unit can carry the path"),
        ("/var/lib/app", "/var/lib/app lies in /var/lib/app, or is the same"),
        ("/var/lib", "/var/lib/app lies in /var/lib, or is the same"),
    ],
)
def test_a_path_that_cannot_be_meant_is_refused(path, complaint):
    with pytest.raises(PlanError) as refusal:
        plan([web()], ["/var/lib/app", path])
    assert str(refusal.value).startswith("policy.containers.web.persist: " + complaint)


@pytest.mark.parametrize("policy", [{"persist": ["/a"]}, {"projects": {"blog": {"persist": ["/a"]}}}])
def test_a_path_is_one_of_a_container(policy):
    with pytest.raises(PlanError, match=r"persist is not known"):
        make_plan(inventory([]), policy, "5.4.2")


@pytest.mark.parametrize("own", [{"persist": ["/srv"]}, {"commit": True}])
def test_a_typing_error_in_a_name_loses_no_data_without_a_word(own):
    made = make_plan(inventory([web()]), {"containers": {"wbe": own}}, "5.4.2")
    assert len(said(made, "no-container")) == len(obstacles(made)) == 1
    accepted = {"containers": {"wbe": own}, "accept": ["no-container:wbe"]}
    assert obstacles(make_plan(inventory([web()]), accepted, "5.4.2")) == []


UNKNOWN = "only the storage driver overlay2 says where the data lies, or containerd's while the container runs"
MOUNTED = "something is mounted at "


@pytest.mark.parametrize(
    ("change", "path", "obstacle"),
    [
        ({"Mounts": [volume_mount("v")]}, "/data", MOUNTED + "/data"),
        ({"Mounts": [volume_mount("v", "/data/")]}, "/data/sub", MOUNTED + "/data"),
        ({"Mounts": [volume_mount("v", "/srv/data")]}, "/srv", MOUNTED + "/srv/data"),
        ({"Mounts": [{"Type": "bind", "Source": "/x", "Destination": "/srv/x"}]}, "/srv", MOUNTED + "/srv/x"),
        ({"HostConfig__Tmpfs": {"/srv/tmp": ""}}, "/srv", MOUNTED + "/srv/tmp"),
        ({"HostConfig__Mounts": [{"Type": "tmpfs", "Target": "/srv/tmp"}]}, "/srv", MOUNTED + "/srv/tmp"),
        ({}, "/dev/shm", MOUNTED + "/dev"),
        ({"GraphDriver": None}, "/srv", UNKNOWN),
        ({"GraphDriver": {"Name": "btrfs", "Data": None}}, "/srv", UNKNOWN),
        ({"GraphDriver": {"Name": "fuse-overlayfs", "Data": OVERLAY["Data"]}}, "/srv", UNKNOWN),
        ({"GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": "/a", "LowerDir": "b"}}}, "/srv", UNKNOWN),
        ({"GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": "/a/../b", "LowerDir": "/c"}}}, "/srv", UNKNOWN),
        ({"GraphDriver": {"Name": "overlay2", "Data": 7}}, "/srv", UNKNOWN),
    ],
)
def test_a_path_that_cannot_become_a_volume_is_a_blocker(change, path, obstacle):
    made = plan([web(**change)], [path])
    assert said(made, "persist") == [
        "policy.containers.web.persist: {0} cannot become a volume: {1}.".format(path, obstacle)
    ]
    assert made["workloads"] == []


def test_the_layers_of_a_containerd_store_are_those_that_were_mounted():
    one = web(GraphDriver=None)
    made = plan([one], ["/srv"], changes={one["Id"]: {"layers": ["/up/fs", "/low/fs"]}})
    assert volumes(made)[0]["layers"] == ["/up/fs", "/low/fs"]


@pytest.mark.parametrize(
    ("paths", "warning"),
    [
        (["/srv", "/var/lib/app"], []),
        (
            ["/srv"],
            ["4 MiB were written into the container itself, among them /var/lib/app/x; they stay in Docker and are"],
        ),
        (
            ["/sr"],
            ["9 MiB were written into the container itself, among them /srv/, /var/lib/app/x; they stay in Docker"],
        ),
    ],
)
def test_what_becomes_a_volume_is_no_warning_any_more(paths, warning):
    largest = [{"path": "/srv/", "bytes": 5 << 20}, {"path": "/var/lib/app/x", "bytes": 4 << 20}]
    made = plan([web()], paths, changes={web()["Id"]: {"size": 9 << 20, "largest": largest}})
    found = said(made, "writable-layer")
    assert [message[: len(begin)] for message, begin in zip(found, warning)] == warning
    assert len(found) == len(warning)
