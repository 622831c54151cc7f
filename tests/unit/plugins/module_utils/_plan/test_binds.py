# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bind mounts stay where they are; what is special about them is said before anything moves."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import bind_sources
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import container, inventory

STOPPED = {"Status": "exited", "Running": False, "Paused": False, "Restarting": False, "Pid": 0}


def bind(source, mode=""):
    return {"Type": "bind", "Source": source, "Destination": "/x", "Mode": mode, "RW": True, "Propagation": "rprivate"}


def plan(source, mode="", seen=None, host=None, engine=None, **changes):
    web = container(Mounts=[bind(source, mode)], HostConfig__Binds=[":".join((source, "/x", mode))], **changes)
    known = inventory([web], host={**(host or {}), "binds": {source: seen} if seen else {}})
    known["engine"]["config"] = engine or {}
    return make_plan(known, None, "5.4.2")


def said(made):
    names = ("bind-missing", "docker-folder", "docker-socket", "docker-socket-folder", "bind-socket", "bind-link",
             "selinux-label", "selinux-bind")  # fmt: skip
    return {(item["severity"], item["code"]) for item in made["findings"] if item["code"] in names}


def there(kind, real=None):
    return lambda source: {"type": kind, "real": real or source}


@pytest.mark.parametrize(
    ("source", "seen", "found"),
    [
        ("/srv", there("folder"), set()),
        ("/srv/a.conf", there("file"), set()),
        ("/srv", None, set()),
        ("/srv", there("missing"), {("blocker", "bind-missing")}),
        # Podman's is made by its own unit.
        ("/var/run/docker.sock", there("missing"), {("warning", "docker-socket")}),
        (
            "/srv/docker.sock",
            there("socket", "/run/docker.sock"),
            {("warning", "docker-socket"), ("info", "bind-link")},
        ),
        ("/var/run", there("folder", "/run"), {("warning", "docker-socket-folder")}),
        ("/var/run", None, {("warning", "docker-socket-folder")}),
        # Its run is a link that leads to nothing in there.
        ("/var", there("folder"), set()),
        ("/run/", there("folder", "/run"), {("warning", "docker-socket-folder")}),
        ("/", there("folder"), {("info", "docker-socket-folder")}),
        ("/run/dbus/system_bus_socket", there("socket"), {("info", "bind-socket")}),
        ("/etc/localtime", there("file", "/usr/share/zoneinfo/UTC"), {("info", "bind-link")}),
        (
            "/etc/localtime",
            there("missing", "/usr/share/zoneinfo/Nowhere"),
            {("blocker", "bind-missing"), ("info", "bind-link")},
        ),
        ("/var/run/app", there("folder", "/run/app"), set()),
        ("/var/lib/docker", there("folder"), {("warning", "docker-folder")}),
        ("/var/lib/docker/", None, {("warning", "docker-folder")}),
        ("/var/lib/docker/containers", there("folder"), {("warning", "docker-folder")}),
        ("/var/lib/dockers", there("folder"), set()),
        (
            "/data",
            there("folder", "/var/lib/docker/volumes/v/_data"),
            {("warning", "docker-folder"), ("info", "bind-link")},
        ),
        ("/srv", lambda _source: {"type": 7, "real": []}, set()),
    ],
)
def test_what_is_special_about_a_source(source, seen, found):
    assert said(plan(source, seen=seen and seen(source))) == found


def test_a_container_that_does_not_run_is_only_warned_about():
    made = plan("/srv/gone", seen={"type": "missing", "real": "/srv/gone"}, State=STOPPED)
    assert said(made) == {("warning", "bind-missing")}


def test_a_socket_elsewhere_is_that_of_the_engine_too():
    made = plan("/run/docker-build.sock", engine={"socket": "/run/docker-build.sock"})
    assert said(made) == {("warning", "docker-socket")}


SELINUX = {"daemon_json": {"selinux-enabled": True}}


@pytest.mark.parametrize(
    ("mode", "selinux", "engine", "option", "found"),
    [
        ("z", "", {}, ":z", {("info", "selinux-label")}),
        ("z", "disabled", {}, ":z", {("info", "selinux-label")}),
        ("Z", "enforcing", SELINUX, ":Z", {("info", "selinux-label")}),
        # Docker labels nothing without selinux-enabled, and Podman would.
        ("z", "enforcing", {}, "", {("info", "selinux-label")}),
        ("Z", "permissive", {}, "", {("info", "selinux-label")}),
        ("", "enforcing", {}, "", set()),
        ("", "enforcing", SELINUX, "", {("info", "selinux-bind")}),
        ("", "permissive", SELINUX, "", set()),
    ],
)
def test_files_get_the_labels_that_docker_gave_them(mode, selinux, engine, option, found):
    made = plan("/srv", mode, host={"selinux": selinux}, engine=engine)
    assert "Volume=/srv:/x" + option in made["workloads"][0]["units"]["web.container"].splitlines()
    assert said(made) == found


@pytest.mark.parametrize("change", [{"HostConfig__SecurityOpt": ["label:disable"]}, {"HostConfig__Privileged": True}])
def test_what_selinux_does_not_confine_needs_no_label(change):
    assert said(plan("/srv", host={"selinux": "enforcing"}, engine=SELINUX, **change)) == set()


def test_what_lies_on_the_host_is_seen(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("gone")
    os.mkfifo(str(tmp_path / "pipe"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    real = os.path.realpath(str(tmp_path))
    names = ("folder", "file", "link", "dangling", "pipe", "socket", "gone", "file/below")
    found = bind_sources.look([str(tmp_path / name) for name in names] + ["/dev/null", "a\0b"])
    assert {os.path.relpath(path, str(tmp_path)): seen for path, seen in found.items() if path != "/dev/null"} == {
        "folder": {"type": "folder", "real": real + "/folder"},
        "file": {"type": "file", "real": real + "/file"},
        "link": {"type": "file", "real": real + "/file"},
        "dangling": {"type": "missing", "real": real + "/gone"},
        "pipe": {"type": "pipe", "real": real + "/pipe"},
        "socket": {"type": "socket", "real": real + "/socket"},
        "gone": {"type": "missing", "real": real + "/gone"},
        "file/below": {"type": "missing", "real": real + "/file/below"},
    }
    assert found["/dev/null"] == {"type": "device", "real": "/dev/null"}


def test_sources_are_those_of_bind_mounts():
    mounts = [bind("/srv"), bind("/etc"), {"Type": "volume", "Name": "v", "Source": "/v", "Destination": "/v"}]
    found = bind_sources.paths([container(Mounts=mounts), container("db", Mounts=None)])
    assert found == {"/srv", "/etc"}
