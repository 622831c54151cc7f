# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the file system can clone, a first copy takes no room; and never more comes along than the volume's own files."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import clone as clones
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._trees.test_rsync import picture


@pytest.fixture
def volume(tmp_path):
    """A volume with some of everything, and the folder of its copy."""
    source = tmp_path / "source"
    (source / "sub" / "deeper").mkdir(parents=True)
    (source / "plain").write_text("plain")
    (source / "sub" / "deeper" / "file").write_text("deep")
    os.utime(str(source / "plain"), ns=(1, 1_234_567_891))
    (source / "empty").touch()
    os.mkfifo(str(source / "pipe"))
    os.link(str(source / "plain"), str(source / "same"))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (source / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "copy").mkdir()
    return Trees("v", str(source), str(tmp_path / "copy"), tmp_path / "v.seen")


@pytest.fixture
def cloning(monkeypatch):
    """A file system that can clone, in the place of this one; ``refuse[contents]`` is the error for such a file."""
    refuse, tried = {}, []

    def clone(ours, theirs):
        contents = os.read(ours, 1000)
        tried.append(contents)
        if contents in refuse or None in refuse:
            code = refuse.get(contents, refuse.get(None))
            raise OSError(code, os.strerror(code))
        os.write(theirs, contents)

    monkeypatch.setattr(clones, "_clone", clone)
    refuse["tried"] = tried
    return refuse


def arrived(folder):
    return sorted(
        os.path.relpath(os.path.join(place, name), folder)
        for place, _folders, names in os.walk(folder)
        for name in names
    )


def fill(volume):
    seen = []
    cloned = clones.fill(volume.source, volume.destination, seen.append)
    assert sum(seen) == cloned.bytes
    return cloned


def test_plain_files_come_once_with_their_times_and_nothing_else(volume, cloning):
    assert fill(volume) == (2, 9)
    (one, other) = arrived(volume.destination)
    assert (one in ("plain", "same"), other) == (True, "sub/deeper/file")
    assert os.stat(os.path.join(volume.destination, one)).st_mtime_ns == 1_234_567_891


def test_a_file_system_that_cannot_clone_is_asked_once(volume, cloning):
    cloning[None] = errno.EOPNOTSUPP
    assert fill(volume) == (0, 0)
    assert (arrived(volume.destination), len(cloning["tried"])) == ([], 1)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ETXTBSY])
def test_a_file_that_cannot_be_cloned_is_left_to_rsync(volume, cloning, code):
    cloning[b"deep"] = code
    assert fill(volume).files == 1
    assert "sub/deeper/file" not in arrived(volume.destination)


def exchanged(monkeypatch, name, change):
    """Have the application change an entry right after it was looked at."""
    stat = os.stat

    def stat_and_change(path, **options):
        found = stat(path, **options)
        if path == name and "dir_fd" in options:
            change()
        return found

    monkeypatch.setattr(clones.os, "stat", stat_and_change)


def attacks():
    def folder_becomes_link(source):
        shutil.rmtree(source / "sub")
        (source / "sub").symlink_to(source.parent / "outside")

    def file_becomes_link(source):
        (source / "empty").unlink()
        (source / "empty").symlink_to(source.parent / "outside" / "secret")

    def file_becomes_pipe(source):
        (source / "empty").unlink()
        os.mkfifo(str(source / "empty"))

    def file_vanishes(source):
        (source / "empty").unlink()

    return [("sub", folder_becomes_link), ("empty", file_becomes_link), ("empty", file_becomes_pipe),
            ("empty", file_vanishes)]  # fmt: skip


@pytest.mark.parametrize(("name", "change"), attacks())
def test_what_is_exchanged_meanwhile_leads_nowhere(volume, cloning, monkeypatch, tmp_path, name, change):
    exchanged(monkeypatch, name, lambda: change(tmp_path / "source"))
    assert fill(volume).files >= 1
    assert b"secret" not in cloning["tried"]


def test_another_file_system_inside_is_not_entered(volume, cloning):
    walk = clones._Walk(lambda _count: None)
    walk.device = -1
    ours, theirs = (os.open(folder, os.O_RDONLY) for folder in (volume.source, volume.destination))
    walk.folder(ours, theirs, 0)
    os.close(ours)
    os.close(theirs)
    assert os.listdir(volume.destination) == []


def test_a_very_deep_tree_does_not_run_out_of_files(volume, cloning, tmp_path):
    deep = tmp_path / "source" / os.path.join(*["n"] * 200)
    deep.mkdir(parents=True)
    (deep / "bottom").write_text("bottom")
    assert fill(volume).files == 2
    assert b"bottom" not in cloning["tried"]


def test_whether_a_file_can_be_cloned_is_tried_without_a_trace(volume, cloning, tmp_path):
    source, folder = volume.source, tmp_path / "copy"
    assert clones.can(source, b"plain", str(folder / "not" / "yet"))
    assert not clones.can(source, b"", str(folder))
    cloning[b"plain"] = errno.EXDEV
    assert not clones.can(source, b"plain", str(folder))
    assert os.listdir(str(folder)) == []


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_after_the_first_round_the_copy_is_exact_and_later_ones_do_not_clone(volume, cloning, tmp_path):
    first = rounds.warm(volume)
    assert (first.cloned, picture(tmp_path / "copy")) == (9, picture(tmp_path / "source"))
    (tmp_path / "source" / "later").write_text("later")
    assert (rounds.warm(volume).cloned, rounds.final(volume).cloned) == (0, 0)
    assert picture(tmp_path / "copy") == picture(tmp_path / "source")


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_what_is_written_while_it_is_cloned_arrives(volume, cloning, tmp_path, monkeypatch):
    clone = clones._clone

    def clone_and_write(ours, theirs):
        clone(ours, theirs)
        (tmp_path / "source" / "sub" / "deeper" / "file").write_text("new!")

    monkeypatch.setattr(clones, "_clone", clone_and_write)
    rounds.warm(volume)
    rounds.final(volume)
    assert (tmp_path / "copy" / "sub" / "deeper" / "file").read_text() == "new!"
