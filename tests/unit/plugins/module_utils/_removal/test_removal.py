# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's leftovers go; what could be anything else stays."""

from __future__ import annotations

import contextlib
import os

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.daemons import Dockerd
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host import mount_table
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman.storage import Storage
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._removal import bridges, data_root, leftovers
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._removal.leftovers import ResidueError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError

MOUNTS = r"""
36 1 254:0 / / rw,relatime - ext4 /dev/vda rw
80 36 0:55 / /srv/docker/overlay2/a/merged rw - overlay overlay rw
81 80 0:56 / /srv/docker/overlay2/a/merged/proc rw - proc proc rw
82 36 0:57 / /srv/docker/with\040blank rw - tmpfs tmpfs rw
83 36 0:58 / /srv/docker-other rw - tmpfs tmpfs rw
84 36 0:59 / /srv/docker rw - tmpfs tmpfs rw
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "docker"
    for name in ("containers", "image", "volumes"):
        (folder / name).mkdir(parents=True)
    (folder / "volumes" / "file").write_text("data")
    (tmp_path / "outside").write_text("stays")
    (folder / "volumes" / "link").symlink_to(tmp_path / "outside")
    monkeypatch.setattr(data_root.require_removable, "__defaults__", (str(tmp_path / "units"),))
    monkeypatch.setattr(data_root, "UNIT_DIR", str(tmp_path / "units"))
    monkeypatch.setattr(data_root.podman, "installed", lambda: False)
    return folder


def inventory(root):
    return {"engine": {"info": {"DockerRootDir": str(root)}}}


@pytest.fixture
def adopted(root, tmp_path):
    """A volume that a container of Podman uses where Docker has it: its name for Podman."""
    source, name = root / "volumes" / "v" / "_data", tmp_path / "docker_adopted" / "v"
    source.mkdir(parents=True)
    (source / "data").write_text("live")
    name.parent.mkdir()
    name.symlink_to(source)
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "db.container").write_text(f'RequiresMountsFor="{root}"\nVolume={name}:/data:ro\n')
    return name


def test_a_dockerd_whose_rules_are_among_those_of_the_host_is_named(monkeypatch):
    mine = Dockerd(7, "/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service", False)
    monkeypatch.setattr(leftovers.daemons, "running", lambda: [mine])
    leftovers.require_no_docker()
    monkeypatch.setattr(leftovers.daemons, "running", lambda: [mine, Dockerd(42, "/system.slice/build.service", True)])
    with pytest.raises(ResidueError, match=r"dockerd runs \(process 42 in /system\.slice/build\.service\)"):
        leftovers.require_no_docker()


def test_a_bridge_that_was_given_its_name_may_be_the_hosts_and_stays(monkeypatch):
    deleted = []
    monkeypatch.setattr(bridges.os.path, "isdir", lambda _path: True)
    monkeypatch.setattr(bridges.os, "listdir", lambda _path: [])
    monkeypatch.setattr(bridges, "run", lambda argv: deleted.append(argv[3]))
    options = {"com.docker.network.bridge.name": "br0"}
    networks = [{"Id": "f" * 64, "Driver": "bridge"}, {"Id": "e" * 64, "Driver": "bridge", "Options": options}]
    result = bridges.remove_bridges({"networks": networks}, check=False)
    assert (result.found, deleted) == (["br-" + "f" * 12, "docker0"], ["br-" + "f" * 12, "docker0"])
    assert result.left == ["br0: it has a name of its own, so it may be the host's"]


def test_the_data_root_goes(root):
    assert data_root.remove_data_root(inventory(root), True).found == [str(root)]
    assert root.exists()
    assert data_root.remove_data_root(inventory(root), False).found == [str(root)]
    assert not root.exists()
    assert (root.parent / "outside").read_text() == "stays"
    assert data_root.remove_data_root(inventory(root), False).found == []


@pytest.mark.parametrize("recorded", ["", ".", "var/lib/docker"])
def test_an_inventory_that_names_no_folder_removes_nothing(recorded):
    with pytest.raises(ResidueError, match="does not say where"):
        data_root.remove_data_root(inventory(recorded), False)


@pytest.mark.parametrize("path", ["/", "/etc", "/usr"])
def test_a_folder_near_the_root_is_suspicious(path):
    with pytest.raises(ResidueError, match="two levels deep"):
        data_root.require_removable(path)


def test_a_folder_that_is_no_data_root_is_left(root):
    (root / "image").rmdir()
    with pytest.raises(ResidueError, match="does not look like a data root"):
        data_root.require_removable(str(root))


def test_a_link_is_left(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(ResidueError, match="no plain folder"):
        data_root.require_removable(str(tmp_path / "link"))


def test_data_that_a_unit_uses_in_place_is_left(root, tmp_path):
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "redis.container").write_text("Volume={0}/volumes/r/_data:/data\n".format(root))
    with pytest.raises(ResidueError, match=r"redis\.container uses"):
        data_root.require_removable(str(root))


def test_what_is_mounted_below_comes_off_deepest_first():
    assert mount_table.below("/srv/docker", mount_table.parse(MOUNTS)) == [
        "/srv/docker/overlay2/a/merged/proc",
        "/srv/docker/overlay2/a/merged",
        "/srv/docker/with blank",
    ]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("85 36 254:0 /srv/data/podman /var/lib/containers rw - ext4 /dev/vda rw", ["/var/lib/containers"]),
        ("85 36 254:0 /srv/data /mnt rw - ext4 /dev/vda rw", ["/mnt"]),
        ("85 36 254:0 /srv/data/a /srv/data/b rw - ext4 /dev/vda rw", []),
        ("85 36 254:0 /srv/database /mnt rw - ext4 /dev/vda rw", []),
        ("85 36 254:0 /srv /mnt rw - ext4 /dev/vda rw", []),
        ("85 36 254:1 /srv/data /mnt rw - ext4 /dev/vdb rw", []),
        ("85 36 254:1 /disk /srv/data rw - ext4 /dev/vdb rw\n86 36 254:1 /disk/x /mnt rw - ext4 /dev/vdb rw", ["/mnt"]),
    ],
)
def test_what_is_mounted_elsewhere_from_below_is_found(line, found):
    assert mount_table.elsewhere("/srv/data", mount_table.parse(MOUNTS + line)) == found


@pytest.mark.parametrize("place", ["podman", "."])
def test_podmans_storage_below_it_keeps_the_data_root(root, monkeypatch, place):
    monkeypatch.setattr(data_root.podman, "installed", lambda: True)
    monkeypatch.setattr(data_root.podman, "storage", lambda: Storage(str(root / place), "/srv/volumes"))
    for check in (True, False):
        with pytest.raises(ResidueError, match="Podman has its images and volumes in"):
            data_root.remove_data_root(inventory(root), check)
    assert (root / "volumes" / "file").read_text() == "data"


def test_of_a_mount_point_only_the_content_goes(root, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(root))
    data_root.remove_data_root(inventory(root), False)
    assert os.listdir(str(root)) == []


def test_what_podman_uses_in_place_is_moved_and_not_deleted(root, adopted, tmp_path):
    source, held = root / "volumes" / "v" / "_data", os.open(str(adopted), os.O_RDONLY)
    moves = ["{0} -> {1}".format(source, adopted)]
    assert data_root.move_adopted(inventory(root), True) == (moves, [])
    assert data_root.remove_data_root(inventory(root), True).found == [str(root)]
    assert adopted.is_symlink()
    assert data_root.move_adopted(inventory(root), False) == (moves, [])
    assert data_root.move_adopted(inventory(root), False) == ([], [])
    assert (adopted.is_symlink(), (adopted / "data").read_text()) == (False, "live")
    assert data_root.remove_data_root(inventory(root), False).found == [str(root)]
    # What a container holds is the folder and not its name.
    assert (root.exists(), os.listdir(held), os.listdir(str(adopted.parent))) == (False, ["data"], ["v"])
    os.close(held)


def test_deleting_the_data_root_alone_moves_them_too(root, adopted):
    data_root.remove_data_root(inventory(root), False)
    assert (root.exists(), (adopted / "data").read_text()) == (False, "live")


class PowerCut(Exception):
    """Ends a removal."""


def cut_after(real, calls):
    """A function that can be called so often."""
    left = iter(range(calls))

    def cut(*arguments, **options):
        if next(left, None) is None:
            raise PowerCut
        return real(*arguments, **options)

    return cut


@pytest.mark.parametrize("at", ["rename", "unlink"])
def test_a_removal_that_was_cut_off_goes_on(root, adopted, monkeypatch, at):
    for calls in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(os, at, cut_after(getattr(os, at), calls))
            with contextlib.suppress(PowerCut):
                data_root.move_adopted(inventory(root), False)
    data_root.remove_data_root(inventory(root), False)
    assert (root.exists(), (adopted / "data").read_text(), os.listdir(str(adopted.parent))) == (False, "live", ["v"])


def test_what_would_have_to_be_copied_keeps_the_data_root(root, adopted, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path).endswith("v/_data"))
    found = data_root.move_adopted(inventory(root), False)
    assert found.found == []
    assert "it is on another file system" in found.left[0]
    with pytest.raises(ResidueError, match=r"is not removed\..*replace its link in .*_adopted by a copy"):
        data_root.remove_data_root(inventory(root), False)
    assert (adopted / "data").read_text() == "live"
    # The user did as told.
    adopted.unlink()
    adopted.mkdir()
    (adopted / "data").write_text("copy")
    data_root.remove_data_root(inventory(root), False)
    assert (root.exists(), (adopted / "data").read_text()) == (False, "copy")


def test_a_move_that_fails_leaves_the_link(root, adopted, monkeypatch):
    rename = os.rename

    def refused(source, target):
        if source.endswith("_data"):
            raise OSError(18, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(TreeError, match="cannot be moved to .*: Invalid cross-device link. It is left where it is"):
        data_root.remove_data_root(inventory(root), False)
    assert (adopted.is_symlink(), (adopted / "data").read_text()) == (True, "live")


def test_a_volume_in_use_that_lost_its_name_keeps_the_data_root(root, adopted):
    adopted.unlink()
    with pytest.raises(TreeError, match=r"db\.container uses .*docker_adopted/v, which is not there"):
        data_root.remove_data_root(inventory(root), False)
    assert (root / "volumes" / "v" / "_data" / "data").exists()


def test_a_name_that_leads_elsewhere_is_not_followed(root, adopted, tmp_path):
    (tmp_path / "other").mkdir()
    adopted.unlink()
    adopted.symlink_to(tmp_path / "other")
    with pytest.raises(TreeError, match="is not below"):
        data_root.remove_data_root(inventory(root), False)
    assert root.exists()
