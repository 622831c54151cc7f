# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree is copied while an application writes to it, and nothing of what it wrote is missing in the end."""

from __future__ import annotations

import os
import random
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import compare, rsync
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import (
    Trees,
    final,
    is_settled,
    warm,
)
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._trees.test_rsync import picture

PAST = 1_600_000_000_000_000_000

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")


@pytest.fixture
def trees(tmp_path):
    """A volume of two files and its empty copy."""
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "copy").mkdir()
    (tmp_path / "source" / "plain").write_text("plain")
    (tmp_path / "source" / "sub" / "other").write_text("other")
    return Trees("v", str(tmp_path / "source"), str(tmp_path / "copy"), tmp_path / "v.seen")


def content(folder):
    found = {}
    for place, _folders, files in os.walk(folder):
        for name in files:
            path = os.path.join(place, name)
            with open(path, "rb") as stream:
                found[os.path.relpath(path, folder)] = (stream.read(), os.stat(path).st_mtime_ns)
    return found


def write_unseen(path):
    """As through a mapped page: other contents, same size, same mtime."""
    was = os.stat(path)
    with open(path, "r+b") as stream:
        stream.write(b"PLAIN")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.fixture
def application():
    """Runs what an application does, which sees more of the host than the round."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(int).result()
        yield lambda *work: thread.submit(*work).result()


def written_behind_rsync_s_back(monkeypatch, application, path, killed=False):
    """Have the application write to a file right after rsync read it, without a new mtime; optionally die thereafter."""
    copy = rsync.copy

    def copy_and_write(*arguments, **options):
        done = copy(*arguments, **options)
        application(write_unseen, path)
        if killed:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(rounds.rsync, "copy", copy_and_write)


def test_warm_rounds_copy_ever_less_and_the_final_one_only_compares(trees):
    assert warm(trees).files == 2
    assert warm(trees).changes == 0
    assert final(trees).changes == 0
    assert content(trees.destination) == content(trees.source)
    assert sorted(os.listdir(os.path.dirname(trees.source))) == ["copy", "source", "v.seen"]


def test_what_was_written_during_a_warm_round_is_copied_again(trees, monkeypatch, application):
    with monkeypatch.context() as patch:
        written_behind_rsync_s_back(patch, application, trees.source + "/plain")
        warm(trees)
    assert final(trees).files == 1
    assert content(trees.destination) == content(trees.source)


def test_also_when_that_round_was_killed(trees, monkeypatch, application):
    with monkeypatch.context() as patch:
        written_behind_rsync_s_back(patch, application, trees.source + "/plain", killed=True)
        with pytest.raises(KeyboardInterrupt):
            warm(trees)
    final(trees)
    assert content(trees.destination) == content(trees.source)
    assert warm(trees).changes == 0


def test_a_difference_that_rsync_does_not_see_stops_the_cutover_and_the_next_round_mends_it(trees):
    warm(trees)
    write_unseen(trees.source + "/plain")
    with pytest.raises(
        TreeError, match=r"Volume v differs from Docker's in 1 places after the copy: plain: its contents"
    ):
        final(trees)
    warm(trees)
    assert final(trees).files <= 1
    assert content(trees.destination) == content(trees.source)


def test_without_a_memory_metadata_is_enough(trees):
    quick = trees._replace(memory=None)
    warm(quick)
    write_unseen(trees.source + "/plain")
    assert final(quick).changes == 0


def test_nothing_outside_the_copy_is_reached_through_its_old_symlinks(trees, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    os.utime(tmp_path / "outside" / "file", ns=(7, 7))
    os.symlink(str(tmp_path / "outside"), trees.source + "/turning")
    warm(trees)
    os.unlink(trees.source + "/turning")
    (tmp_path / "copy.since").touch()
    os.mkdir(trees.source + "/turning")
    with open(trees.source + "/turning/file", "wb"):
        pass
    final(trees)
    assert content(trees.destination) == content(trees.source)
    assert os.stat(tmp_path / "outside" / "file").st_mtime_ns == 7


class Application:
    """Does to a tree what applications do, at random."""

    def __init__(self, top, seed):
        self.top, self.dice, self.number = top, random.Random(seed), 0

    def act(self, times):
        for _time in range(times):
            self.number += 1
            everything = [
                os.path.join(place, name) for place, names, files in os.walk(self.top) for name in names + files
            ]
            folders = [self.top, *(path for path in everything if os.path.isdir(path) and not os.path.islink(path))]
            path = self.dice.choice(everything) if everything else self.top
            self.dice.choice([self.make, self.make, self.replace, self.remove, self.touch, self.link])(path, folders)

    def new(self, folders):
        return os.path.join(self.dice.choice(folders), "{0}\n{1}".format(self.number, "x" * self.dice.randrange(9)))

    def make(self, _path, folders, at=None):
        at = at or self.new(folders)
        kind = self.dice.randrange(4)
        if kind == 0:
            os.symlink(self.dice.choice(["plain", "/etc", "..", "nowhere"]), at)
        elif kind == 1:
            os.makedirs(at + "/deep/deeper")
        else:
            with open(at, "wb") as stream:
                stream.write(b"%d" % self.number * self.dice.randrange(99))

    def remove(self, path, _folders):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
            os.makedirs(self.top, exist_ok=True)
        else:
            os.unlink(path)

    def replace(self, path, folders):
        if path != self.top:
            self.remove(path, folders)
            self.make(path, folders, at=path)

    def touch(self, path, _folders):
        os.utime(path, ns=(self.number, self.number), follow_symlinks=False)

    def link(self, path, folders):
        if os.path.isfile(path) and not os.path.islink(path):
            os.link(path, self.new(folders))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_an_application_does_the_copy_follows(trees, seed):
    application = Application(trees.source, seed)
    for _round in range(4):
        application.act(12)
        warm(trees)
    application.act(12)
    final(trees)
    assert picture(trees.destination) == picture(trees.source)
    assert final(trees).changes == 0


def test_a_link_to_the_host_that_becomes_a_folder_that_vanishes_costs_the_host_nothing(trees, tmp_path):
    (tmp_path / "host" / "etc").mkdir(parents=True)
    (tmp_path / "host" / "etc" / "passwd").touch()
    os.symlink(str(tmp_path / "host"), trees.source + "/x")
    warm(trees)
    os.unlink(trees.source + "/x")
    os.mkdir(trees.source + "/x")
    warm(trees)
    final(trees)
    assert os.listdir(str(tmp_path / "host" / "etc")) == ["passwd"]


def test_what_is_remembered_is_on_the_disk_first(trees, monkeypatch):
    def fail(argv):
        if argv[-1] == trees.destination:
            raise CommandError("no room in the thin pool")

    with monkeypatch.context() as patch:
        patch.setattr(rounds, "run", fail)
        with pytest.raises(CommandError):
            warm(trees)
    assert not trees.memory.exists()


def test_a_tree_that_vanishes_is_an_error(trees):
    warm(trees)
    shutil.rmtree(trees.source)
    with pytest.raises(TreeError, match=trees.source + " cannot be used: No such file"):
        warm(trees)
    assert os.path.exists(trees.destination + "/plain")


def test_also_when_it_vanishes_meanwhile(trees, monkeypatch, application):
    warm(trees)
    copy = rsync.copy

    def remove_and_copy(*given, **named):
        application(shutil.rmtree, trees.source)
        return copy(*given, **named)

    monkeypatch.setattr(rounds.rsync, "copy", remove_and_copy)
    with pytest.raises(TreeError, match=trees.source + " cannot be used: No such file"):
        warm(trees)


@pytest.mark.parametrize(
    ("seconds", "wanted", "settled"),
    [([5], 10, True), ([50], 10, False), ([50, 20], 10, False), ([50, 45], 10, True), ([50, 20, 19], 10, True)],
)
def test_when_another_round_is_of_no_use(seconds, wanted, settled):
    assert is_settled(seconds, wanted) is settled


def made_again(trees, text):
    """Docker's volume of this name is removed and made again, and a backup with the old times is put into it."""
    path = trees.source + "/plain"
    was = os.stat(path)
    shutil.rmtree(trees.source)
    os.makedirs(trees.source + "/sub")
    for name in ("plain", "sub/other"):
        with open(os.path.join(trees.source, name), "w") as stream:
            stream.write(text)
        os.utime(os.path.join(trees.source, name), ns=(was.st_mtime_ns, was.st_mtime_ns))


def test_a_volume_that_was_made_again_under_docker_is_read_again_whatever_its_times_say(trees):
    for name in ("plain", "sub/other"):
        os.utime(os.path.join(trees.source, name), ns=(PAST, PAST))
    warm(trees)
    made_again(trees, "PLAIN")
    with pytest.raises(TreeError, match="plain: its contents differ; sub/other: its contents differ"):
        final(trees)
    warm(trees)
    final(trees)
    assert content(trees.destination) == content(trees.source)


@pytest.mark.parametrize("side", ["source", "destination"])
def test_what_was_compared_with_another_tree_says_nothing_of_this_one(trees, side):
    """Also when inodes and times are the same: nothing but their heading tells the two memories apart."""
    warm(trees)
    lines = trees.memory.read_bytes().split(b"\n", 1)
    assert os.fsencode(getattr(trees, side)) in lines[0]
    write_unseen(trees.destination + "/plain")
    seen = {path: os.lstat(path) for path in (trees.source + "/plain", trees.destination + "/plain")}
    keys = compare._keys(*seen.values())
    names = [line.partition(b" ") for line in lines[1].splitlines()]
    body = b"".join((keys if name == b"plain" else old) + b" " + name + b"\n" for old, _blank, name in names)
    trees.memory.write_bytes(lines[0] + b"\n" + body)
    final(trees)
    other = lines[0].replace(os.fsencode(getattr(trees, side)), os.fsencode(getattr(trees, side) + "-other"))
    trees.memory.write_bytes(other + b"\n" + body)
    with pytest.raises(TreeError, match="plain: its contents differ"):
        final(trees)
