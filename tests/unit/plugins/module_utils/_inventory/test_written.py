# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found in the writable layers of containers, and what of it came from outside."""

from __future__ import annotations

import os

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import Docker
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import compose_files, written
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_docker import FakeDocker, answers, container

DB = container("db", 1)
# Created, first start, last end, last start: seconds of the epoch, as Docker writes them.
CREATED, FIRST, ENDED, LAST = 1764547200.0, 1764547300.0, 1764547400.0, 1764547500.0
STAMP = {
    CREATED: "2025-12-01T00:00:00.000000000Z",
    FIRST: "2025-12-01T00:01:40.5Z",
    ENDED: "2025-12-01T00:03:20Z",
    LAST: "2025-12-01T00:05:00Z",
}


def layered(upper, **changes):
    return {**DB, "GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": str(upper)}}, **changes}


def changes(path, document, replies=None, data_root="/nowhere"):
    with FakeDocker(path / "s", replies or answers(document)) as fake:
        return written.changes(Docker(fake.socket), [document], str(data_root))[document["Id"]]


@pytest.fixture
def upper(tmp_path):
    folder = tmp_path / "upper"
    folder.mkdir()
    return folder


@pytest.fixture
def started(tmp_path):
    """A container that was started twice, and the root of Docker's data with the marks that tell it."""
    own = tmp_path / "docker" / "containers" / DB["Id"]
    (own / "mounts").mkdir(parents=True)
    (own / "hostname").write_text("db")
    os.utime(own / "mounts", (FIRST, FIRST))
    os.utime(own / "hostname", (LAST, LAST))
    state = {"Running": True, "Pid": 0, "StartedAt": STAMP[LAST], "FinishedAt": STAMP[ENDED]}
    return {"Created": STAMP[CREATED], "State": state}, tmp_path / "docker"


def put(upper, path, at, content="x"):
    """A file whose contents are of that moment; its owner is changed later, as entry points do."""
    target = upper / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content)
    os.utime(target, (at, at))


@pytest.mark.parametrize(
    ("at", "is_put"),
    [
        (CREATED - 5, False),
        (CREATED + 1, True),
        (FIRST - 0.1, True),
        (FIRST + 1, False),
        (ENDED + 1, True),
        (LAST + 1, False),
    ],
    ids=["of the image", "created", "before the first start", "running", "stopped", "running again"],
)
def test_what_is_of_a_time_in_which_it_did_not_run_came_from_outside(tmp_path, upper, started, at, is_put):
    changed, root = started
    put(upper, "etc/app.conf", at)
    found = changes(tmp_path, layered(upper, **changed), data_root=root)["put"]
    assert [entry["path"] for entry in found] == (["/etc/app.conf"] if is_put else [])


def test_secrets_came_from_outside_whatever_their_time(tmp_path, upper, started):
    changed, root = started
    put(upper, "run/secrets/token", LAST + 100, "tok")
    os.chmod(upper / "run/secrets/token", 0o440)
    (entry,) = changes(tmp_path, layered(upper, **changed), data_root=root)["put"]
    assert (entry["path"], entry["type"], entry["size"], entry["mode"]) == ("/run/secrets/token", "file", 3, 0o440)
    assert (entry["uid"], entry["gid"]) == (os.getuid(), os.getgid())


def test_what_compose_has_put_there_stays_its_own_when_the_container_changes_it(tmp_path, upper, started, monkeypatch):
    """An entry point that rewrites its configuration at each start: its times tell nothing any more."""
    changed, root = started
    monkeypatch.setattr(compose_files, "targets", lambda items: {items[0]["Id"]: {"/etc/app.conf", "/gone", "/link"}})
    put(upper, "etc/app.conf", LAST + 1)
    put(upper, "etc/other.conf", LAST + 1)
    (upper / "link").symlink_to("etc/other.conf")
    (entry,) = changes(tmp_path, layered(upper, **changed), data_root=root)["put"]
    assert (entry["path"], entry["type"], entry["changed"]) == ("/etc/app.conf", "file", True)


def test_what_nobody_has_changed_since_is_not_called_changed(tmp_path, upper, started, monkeypatch):
    changed, root = started
    monkeypatch.setattr(compose_files, "targets", lambda items: {items[0]["Id"]: {"/etc/app.conf"}})
    put(upper, "etc/app.conf", CREATED + 1)
    (entry,) = changes(tmp_path, layered(upper, **changed), data_root=root)["put"]
    assert "changed" not in entry


def test_without_marks_a_few_seconds_after_the_creation_count(tmp_path, upper, started):
    changed, _root = started
    put(upper, "early", CREATED + 1)
    put(upper, "late", CREATED + 10)
    found = changes(tmp_path, layered(upper, **changed))["put"]
    assert [entry["path"] for entry in found] == ["/early"]


def test_all_of_what_was_never_started_came_from_outside(tmp_path, upper):
    put(upper, "opt/x", LAST)
    state = {"Running": False, "Pid": 0, "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}
    found = changes(tmp_path, layered(upper, Created=STAMP[CREATED], State=state))["put"]
    assert [entry["path"] for entry in found] == ["/opt/x"]


def test_no_link_is_followed(tmp_path, upper):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "of the host").write_text("x" * 9000)
    (upper / "out").symlink_to(tmp_path / "secret")
    assert changes(tmp_path, layered(upper))["largest"] == [{"path": "/out", "bytes": 0}]


def test_folders_without_end_are_no_traceback(tmp_path, upper):
    folder = os.open(str(upper), os.O_RDONLY)
    for _level in range(300):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    assert changes(tmp_path, layered(upper))["largest"] == []


def test_every_file_is_named_at_any_size(tmp_path, upper):
    put(upper, "var/lib/big", LAST, "x" * 3000)
    put(upper, "var/small", LAST, "x" * 20)
    put(upper, "var/empty", LAST, "")
    assert changes(tmp_path, layered(upper))["largest"] == [
        {"path": "/var/lib/big", "bytes": 3000},
        {"path": "/var/small", "bytes": 20},
        {"path": "/var/empty", "bytes": 0},
    ]


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes devices")
def test_what_was_removed_of_the_image_is_named(tmp_path, upper):
    (upper / "etc").mkdir()
    os.mknod(upper / "etc" / "gone", 0o20000, os.makedev(0, 0))
    found = changes(tmp_path, layered(upper))
    assert (found["removed"], found["largest"]) == (["/etc/gone"], [])


def test_many_small_files_are_summed_up_by_folder(monkeypatch):
    monkeypatch.setattr(written, "_LARGEST", 2)
    sizes = [("/srv/a", 1), ("/srv/b", 2), ("/srv/c", 3), ("/d", 4), ("/srv/e", 5)]
    assert written.largest(sizes) == [
        {"path": "/srv/e", "bytes": 5},
        {"path": "/d", "bytes": 4},
        {"path": "/srv/", "bytes": 6},
    ]


def test_where_nobody_says_the_folder_docker_is_asked_for_the_paths(tmp_path):
    """The containerd image store shows no UpperDir while a container is stopped."""
    stopped = {**DB, "GraphDriver": None}
    answer = [{"Path": "/etc", "Kind": 0}, {"Path": "/etc/a", "Kind": 1}, {"Path": "/b", "Kind": 2}]
    replies = {**answers(stopped), "GET /containers/{0}/changes".format(DB["Id"]): answer}
    found = changes(tmp_path, stopped, replies)
    assert (found["largest"], found["removed"], found["put"]) == ([{"path": "/etc/a"}], ["/b"], [])


@pytest.mark.parametrize(
    ("mount", "layers"),
    [
        ("overlay overlay rw,lowerdir=/l1:/l2,upperdir=/up/fs,workdir=/w", ["/up/fs", "/l1", "/l2"]),
        ("overlay overlay rw,lowerdir+=/l1,lowerdir+=/l2,upperdir=/up/fs,workdir=/w", ["/up/fs", "/l1", "/l2"]),
        ("overlay overlay ro,lowerdir=/l1:/l2", []),
        ("ext4 /dev/vda rw", []),
    ],
)
def test_the_mount_of_a_running_container_says_where_its_layers_are(tmp_path, mount, layers):
    mounts = tmp_path / "mountinfo"
    mounts.write_text("10 9 0:75 / /proc rw - proc proc rw\n9 8 0:70 / / rw,relatime master:1 - " + mount + "\n")
    assert written.mounted_layers(mounts) == layers
    assert written.mounted_layers(tmp_path / "none") == []


@pytest.mark.parametrize("graph", [None, {"Name": "overlay2", "Data": {"UpperDir": "/up/fs"}}])
def test_layers_are_recorded_where_nobody_else_says_them(tmp_path, monkeypatch, graph):
    """The containerd image store shows no GraphDriver, and the mount is gone when the container stops."""
    monkeypatch.setattr(written, "mounted_layers", lambda _mounts: ["/up/fs", "/l1"])
    running = {**DB, "GraphDriver": graph, "State": {**DB["State"], "Running": True, "Pid": 1}}
    assert changes(tmp_path, running).get("layers") == (None if graph else ["/up/fs", "/l1"])


def test_a_working_directory_in_the_writable_layer_is_seen(tmp_path, upper):
    (upper / "made here").mkdir()
    (upper / "link").symlink_to(tmp_path)
    other = ["/elsewhere", "/../upper", "/link", "/link/upper", ""]
    for folder, seen in [("/made here", True), *((name, False) for name in other)]:
        made = layered(upper, Config={**DB["Config"], "WorkingDir": folder})
        assert changes(tmp_path, made).get("made_workdir", False) is seen
