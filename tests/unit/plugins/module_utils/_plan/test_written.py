# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container holds itself: files that were put into it are kept, all else is named."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    identifier,
    inventory,
    volume_mount,
)


def entry(path, **changes):
    found = {"path": path, "type": "file", "uid": 1000, "gid": 2000, "mode": 0o640, "size": 18}
    return {**found, "mtime": 1.5, "ctime": 1.5, **changes}


def plan(put=(), largest=(), removed=(), policy=None, version="5.4.2", **changes):
    web = container(**changes)
    layer = {"size": 40, "largest": list(largest), "put": list(put), "removed": list(removed)}
    return make_plan(inventory([web], changes={web["Id"]: layer}), policy, version)


def said(made, code):
    return [item["message"] for item in made["findings"] if item["code"] == code]


def severities(made, code):
    return [item["severity"] for item in made["findings"] if item["code"] == code]


@pytest.mark.parametrize("version", ["4.4.0", "5.4.2", "5.8.6"])
def test_compose_configs_and_secrets_go_with_owner_and_mode(version):
    made = plan([entry("/etc/app/app.conf"), entry("/run/secrets/token", uid=0, gid=0, mode=0o444)], version=version)
    (workload,) = made["workloads"]
    assert workload["secrets"] == [
        {
            "name": "web-file-etc_app_app.conf",
            "container": "web",
            "file": "/etc/app/app.conf",
            "uid": 1000,
            "gid": 2000,
            "mode": 0o640,
        },
        {
            "name": "web-file-run_secrets_token",
            "container": "web",
            "file": "/run/secrets/token",
            "uid": 0,
            "gid": 0,
            "mode": 0o444,
        },
    ]
    unit = workload["units"]["web.container"]
    for words in (
        "web-file-etc_app_app.conf,type=mount,target=/etc/app/app.conf,uid=1000,gid=2000,mode=0640",
        "web-file-run_secrets_token,type=mount,target=/run/secrets/token,uid=0,gid=0,mode=0444",
    ):
        assert "Secret=" + words in unit or "--secret=" + words in unit
    assert said(made, "put-files") == [
        (
            "Files that were put into it before it started become Podman secrets, and begin anew at each start: "
            "/etc/app/app.conf, /run/secrets/token."
        )
    ]


def test_what_the_container_has_changed_of_them_is_told():
    """It cannot be replaced, which an entry point may do at each start, and does not outlive a stop."""
    made = plan([entry("/etc/app.conf", changed=True), entry("/etc/b"), entry("/etc/c", changed=True, size=0)])
    (message,) = said(made, "changed-files")
    assert message.endswith("but not put others in their place (sed -i, mv): /etc/app.conf.")
    assert severities(made, "changed-files") == ["warning"]
    assert said(plan([entry("/etc/b")]), "changed-files") == []


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        (entry("/opt/l", type="link"), "/opt/l (no file)"),
        (entry("/opt/empty", size=0), "/opt/empty (0 bytes)"),
        (entry("/opt/big", size=512001), "/opt/big (512001 bytes)"),
        (entry("/opt/a,uid=0"), "/opt/a,uid=0 (its name)"),
        (entry("/opt/../etc/shadow"), "/opt/../etc/shadow (its name)"),
        (entry("/opt/\udcff"), "/opt/\udcff (its name)"),
    ],
)
def test_what_podman_takes_as_no_secret_is_a_warning(lost, why):
    made = plan([lost])
    assert made["workloads"][0]["secrets"] == []
    assert severities(made, "lost-files") == ["warning"]
    assert why in said(made, "lost-files")[0]


def test_a_tree_is_no_bundle_of_secrets():
    made = plan([entry("/opt/{0}".format(number)) for number in range(101)])
    assert made["workloads"][0]["secrets"] == []
    assert said(made, "lost-files")[0].endswith("and 96 more.")


@pytest.mark.parametrize(
    ("changes", "policy"),
    [
        ({"Mounts": [volume_mount("v", "/etc/app")]}, None),
        ({"HostConfig__Tmpfs": {"/etc": ""}}, None),
    ],
)
def test_what_a_mount_hides_is_not_seen_by_the_container_either(changes, policy):
    made = plan([entry("/etc/app/app.conf")], policy=policy, **changes)
    assert made["workloads"][0]["secrets"] == []
    assert said(made, "lost-files") == said(made, "put-files") == []


@pytest.mark.parametrize("path", ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/.dockerenv"])
def test_places_that_docker_mounts_files_at_are_no_files(path):
    """``docker cp`` into a container that does not run leaves empty ones there (seen on 26.1)."""
    made = plan([entry(path, size=0)], [{"path": path, "bytes": 0}])
    assert said(made, "lost-files") == said(made, "written") == []


def test_two_files_of_one_name_are_two_secrets():
    made = plan([entry("/a/b"), entry("/a_b")])
    assert len({item["name"] for item in made["workloads"][0]["secrets"]}) == 2


def test_all_that_was_written_stands_in_the_report_at_any_size():
    files = [{"path": "/etc/app/app.conf", "bytes": 900}, {"path": "/run/pid", "bytes": 2}]
    files += [{"path": "/srv/{0}".format(number), "bytes": 2048} for number in range(3)] + [{"path": "/x", "bytes": 0}]
    made = plan(largest=files, removed=["/etc/nginx/default.conf"])
    assert said(made, "written") == [
        (
            "It has written into itself, and loses at its next start: "
            "/srv (3 files, 6 KiB); /etc/app/app.conf (900 bytes); /run/pid (2 bytes); /x."
        )
    ]
    assert said(made, "removed-files") == ["Files of its image were removed, and come back: /etc/nginx/default.conf."]
    assert {*severities(made, "written"), *severities(made, "removed-files")} == {"info"}


def test_what_was_put_is_not_written():
    made = plan([entry("/etc/a")], [{"path": "/etc/a", "bytes": 18}, {"path": "/b", "bytes": 1}])
    assert said(made, "written") == ["It has written into itself, and loses at its next start: /b (1 byte)."]


@pytest.mark.parametrize(
    ("path", "is_data"),
    [("/opt/app/users.sqlite", True), ("/etc/aliases.db", False), ("/tmp/x.db", False), ("/opt/app/notes.txt", False)],
)
def test_a_database_is_data_at_any_size(path, is_data):
    made = plan(largest=[{"path": path, "bytes": 4096}])
    assert severities(made, "writable-layer") == (["warning"] if is_data else [])


def test_what_changes_by_itself_is_not_the_plans():
    quiet, busy = plan(), plan(largest=[{"path": "/tmp/x", "bytes": 5}], removed=["/etc/motd"])
    assert quiet["hash"] == busy["hash"]
    full = [plan(largest=[{"path": "/srv/x", "bytes": size << 20}]) for size in (5, 6)]
    assert full[0]["hash"] == full[1]["hash"] != quiet["hash"]
    assert plan([entry("/etc/a")])["hash"] != quiet["hash"]
    changed = [plan([entry("/etc/a", changed=True, size=size)]) for size in (5, 6)]
    assert changed[0]["hash"] == changed[1]["hash"] != plan([entry("/etc/a")])["hash"]


def test_damaged_entries_are_no_traceback():
    for put in ([None], [7], [{"path": 7}], [{"path": "/a", "uid": "x", "mode": -1, "size": []}], {"a": 1}):
        web = container()
        make_plan(
            inventory([web], changes={identifier("web"): {"put": put, "removed": put, "largest": put}}), None, "5.4.2"
        )
