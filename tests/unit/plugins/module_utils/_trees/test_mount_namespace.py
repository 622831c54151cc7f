# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in a mount namespace of its own sees the trees and programs, nothing else of the host, and leaves no trace."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import clone, mount_namespace, mounts
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.mount_namespace import Source, confined
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.mounting import needs_mounts

UTILS = Path(mount_namespace.__file__).parents[1]


@pytest.fixture
def folders(tmp_path):
    """A tree that is read, one that is written, and a neighbour of both."""
    for name in ("ours", "theirs", "neighbour"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return str(tmp_path / "ours"), str(tmp_path / "theirs"), str(tmp_path / "neighbour")


def number_of(work, *given):
    """The error of a call, by its name; "" for none."""
    try:
        work(*given)
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""


def written(path, text="new"):
    with open(path, "w") as stream:
        stream.write(text)


def mount_table():
    return Path("/proc/self/mountinfo").read_text()


@needs_mounts
def test_only_the_trees_and_programs_are_there(folders):
    ours, theirs, neighbour = folders
    with confined([Source(ours)], [theirs]) as within:
        assert sorted(within.run(os.listdir, os.path.dirname(ours))) == ["ours", "theirs"]
        assert within.run(number_of, os.stat, neighbour) == "ENOENT"
        assert {"proc", "sys", "root", "home", "run", "boot"}.isdisjoint(within.run(os.listdir, "/"))
        assert set(within.run(os.listdir, "/etc")) <= {"ld.so.cache"}
        assert within.run(os.listdir, "/dev") == ["null"]
        assert within.run(subprocess.check_output, ["cat", ours + "/file"]) == b"ours"


@needs_mounts
def test_what_is_read_is_read_only_and_what_is_written_is_not(folders):
    ours, theirs, _neighbour = folders
    with confined([Source(ours)], [theirs]) as within:
        assert within.run(number_of, written, ours + "/new") == "EROFS"
        assert within.run(number_of, os.utime, ours + "/file") == "EROFS"
        assert within.run(number_of, written, theirs + "/new") == ""
        assert within.run(number_of, written, "/usr/new") == "EROFS"
    assert (os.path.exists(ours + "/new"), os.path.exists(theirs + "/new")) == (False, True)


@needs_mounts
@pytest.mark.parametrize("place", ["file", "deep/file", "file/../../neighbour/file"])
def test_no_link_leads_anywhere_and_no_device_opens(folders, place):
    ours, theirs, neighbour = folders
    for top in (ours, theirs):
        os.symlink(neighbour, top + "/link")
        os.symlink("/usr", top + "/programs")
        os.symlink("file", top + "/alias")
        os.mknod(top + "/device", 0o666 | stat.S_IFCHR, os.makedev(1, 7))
    with confined([Source(ours)], [theirs]) as within:
        for top in (ours, theirs):
            for name in ("link/" + place, "programs/bin", "alias"):
                assert within.run(number_of, os.stat, top + "/" + name) in ("ELOOP", "ENOENT"), name
            assert within.run(number_of, os.open, top + "/device", os.O_RDONLY) == "EACCES"
            assert within.run(os.readlink, top + "/link") == neighbour


@needs_mounts
def test_what_is_mounted_in_a_tree_is_there_too_and_as_closed(folders):
    """Also where it is read-only in a tree that is written to."""
    ours, theirs, neighbour = folders
    other = ours + "/a b\n"
    os.mkdir(other)
    os.mkdir(theirs + "/closed")
    subprocess.run(["mount", "--bind", neighbour, other], check=True)
    subprocess.run(["mount", "--bind", "--options", "ro", neighbour, theirs + "/closed"], check=True)
    os.mknod(neighbour + "/device", 0o666 | stat.S_IFCHR, os.makedev(1, 7))
    os.symlink("/usr", neighbour + "/link")
    try:
        with confined([Source(ours)], [theirs]) as within:
            for place in (other, theirs + "/closed"):
                assert within.run(number_of, os.stat, place + "/file") == ""
                assert within.run(number_of, written, place + "/file") == "EROFS"
                assert within.run(number_of, os.open, place + "/device", os.O_RDONLY) == "EACCES"
                assert within.run(number_of, os.stat, place + "/link/bin") == "ELOOP"
    finally:
        subprocess.run(["umount", other, theirs + "/closed"], check=True)


@needs_mounts
def test_nothing_of_it_is_seen_outside_and_nothing_stays(folders):
    ours, theirs, _neighbour = folders
    before, here, root = mount_table(), os.getcwd(), os.stat("/")
    threads = threading.active_count()
    with confined([Source(ours)], [theirs]) as within:
        within.run(os.listdir, ours)
        assert (mount_table(), os.getcwd(), os.stat("/").st_ino) == (before, here, root.st_ino)
    assert (mount_table(), os.getcwd(), os.stat("/").st_ino) == (before, here, root.st_ino)
    assert threading.active_count() == threads


@needs_mounts
def test_several_at_once_know_nothing_of_each_other(folders):
    ours, theirs, _neighbour = folders
    with confined([Source(ours)]) as one, confined([Source(theirs)]) as other:
        assert (one.run(number_of, os.stat, theirs), other.run(number_of, os.stat, ours)) == ("ENOENT", "ENOENT")
        assert one.run(os.listdir, ours) == other.run(os.listdir, theirs) == ["file"]


@needs_mounts
def test_what_needs_the_host_is_called_there(folders):
    """Such as the progress of a job, which is written below /run."""
    seen = []

    def look(count):
        seen.append((count, os.path.exists(folders[2]), threading.current_thread()))

    with confined([Source(folders[0])]) as within:
        tell = within.outside(look)
        assert within.run(lambda: [tell(1), tell(2)]) == [None, None]
        with pytest.raises(ZeroDivisionError):
            within.run(lambda: tell(3) or 1 / 0)
    assert seen == [(number, True, threading.current_thread()) for number in (1, 2, 3)]


@needs_mounts
def test_the_folder_for_scratch_files_is_no_other_afterwards(folders, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    with confined([Source(folders[0])]) as within:
        within.run(tempfile.TemporaryFile).close()
    assert tempfile.gettempdir() == str(tmp_path / "scratch")


@needs_mounts
def test_work_in_it_imports_nothing(folders, tmp_path):
    """What is imported for the first time there would be looked for where this program is not."""
    code = (
        "import sys, os\n"
        "from pathlib import Path\n"
        "from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds, space\n"
        "from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import layer_archive\n"
        "from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import commit\n"
        "found = []\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_given):\n"
        "        if not os.path.exists('/proc'): found.append(name)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "trees = rounds.Trees('v', {0!r}, {1!r}, Path({2!r}))\n"
        "rounds.warm(trees), rounds.final(trees), space.measure(trees.read)\n"
        "with rounds.confined([trees.read]) as within, open(os.devnull, 'wb') as stream:\n"
        "    within.run(layer_archive.write, trees.source, stream)\n"
        "    assert not within.run(os.path.exists, '/proc')\n"
        "print(found)\n"
    ).format(folders[0], folders[1], str(tmp_path / "seen"))
    environment = {**os.environ, "PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: os.rename(path, path + ".was"), "cannot be used: No such file or directory"),
        (lambda path: (os.rename(path, path + ".was"), os.mkdir(path)), "was replaced while it was used"),
        (lambda path: (os.rename(path, path + ".was"), os.symlink("/etc", path)), "is not a folder"),
        (lambda path: (os.rename(path, path + ".was"), written(path)), "is not a folder"),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_a_tree_that_is_another_one_is_an_error_before_and_after(folders, which, change, said):
    with pytest.raises(TreeError, match=folders[which] + " " + said):
        with confined([Source(folders[0])], [folders[1]]):
            change(folders[which])
    if "replaced" not in said:
        with pytest.raises(TreeError, match=folders[which] + " " + said):
            with confined([Source(folders[0])], [folders[1]]):
                pytest.fail("it is there")


@needs_mounts
def test_a_folder_is_taken_for_what_it_is_when_the_namespace_is_made(folders, monkeypatch):
    ours, _theirs, neighbour = folders
    leave = mounts.leave_the_others

    def swap():
        leave()
        os.rename(ours, ours + ".was")
        os.symlink(neighbour, ours)

    monkeypatch.setattr(mounts, "leave_the_others", swap)
    with pytest.raises(TreeError, match="No namespace can be made for " + ours):
        with confined([Source(ours)]):
            pytest.fail("it leads elsewhere")


@needs_mounts
def test_the_data_root_may_be_a_link(tmp_path):
    (tmp_path / "real" / "v").mkdir(parents=True)
    (tmp_path / "real" / "v" / "file").write_text("there")
    (tmp_path / "root").symlink_to("real")
    with confined([Source(str(tmp_path / "root" / "v"))]) as within:
        assert within.run(os.listdir, str(tmp_path / "root" / "v")) == ["file"]
        assert within.run(os.lstat, str(tmp_path / "root")).st_mode & stat.S_IFDIR


@needs_mounts
def test_who_may_not_mount_is_told(folders, monkeypatch):
    def refused(*_given, **_named):
        raise PermissionError(1, "No", "x")

    monkeypatch.setattr(mounts, "_call", refused)
    with pytest.raises(TreeError, match=r"No namespace can be made for .*: No \(x\); see that root may mount"):
        with confined([Source(folders[0])]):
            pass


@needs_mounts
def test_it_costs_milliseconds(folders):
    began = time.monotonic()
    for _time in range(20):
        with confined([Source(folders[0])], [folders[1]]) as within:
            within.run(int)
    assert (time.monotonic() - began) / 20 < 0.2


def test_nothing_that_goes_by_names_in_a_tree_is_called_outside_of_one():
    """They are handed to run(); what opens part by part needs no namespace."""
    calls = re.compile(r"\b(rsync\.copy|compare\.compare|layer_archive\.(write|entries)|_measure)\(")
    found = [
        (path.name, line.strip())
        for path in sorted(UTILS.rglob("*.py"))
        for line in path.read_text().splitlines()
        if calls.search(line) and not line.startswith(("def ", "    def "))
    ]
    assert found == [
        (
            "commit.py",
            "return sum(entry.status.st_size for entry in layer_archive.entries(upper) if stat.S_ISREG(entry.status.st_mode))",
        )
    ]
    assert "confined" not in Path(clone.__file__).read_text()
