# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two trees are the same: every difference is found, and nothing unchanged is read twice."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import compare as verify
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import compare_cache, walk

NAMES = [b"a", b"a b", b"a-b", b"a/b", b"a/b/c", b"a0", b"a\nb", b"a\\", b"a\\nb", b"a\\\n", b"\xff", b"b/\\\\n", b"z"]
PAST = 1_600_000_000_000_000_000


@pytest.fixture
def trees(tmp_path):
    """The same tree twice, all written long ago; ``compare()`` on them."""
    for top in ("source", "destination"):
        for name in NAMES:
            path = os.path.join(os.fsencode(tmp_path), os.fsencode(top), name + b".d", b"file")
            os.makedirs(os.path.dirname(path))
            with open(path, "wb") as stream:
                stream.write(name * 1000)
        os.symlink("a.d/file", tmp_path / top / "link")
        os.mkfifo(tmp_path / top / "pipe")
        os.link(tmp_path / top / "z.d" / "file", tmp_path / top / "z.d" / "other name")
        for folder, folders, files in os.walk(tmp_path / top, topdown=False):
            for name in [*files, *folders, ""]:
                os.utime(os.path.join(folder, name), ns=(PAST, PAST), follow_symlinks=False)
    return tmp_path


def compare(trees, quick=False, **options):
    folders = str(trees / "source"), str(trees / "destination")
    if quick:
        return verify.compare(*folders, None, **options)
    with compare_cache.Remembered(trees / "memory", *folders) as remembered:
        return verify.compare(*folders, remembered, **options)


HOLE = 64 << 20


@pytest.mark.parametrize(
    ("ours", "theirs", "is_same"),
    [
        ({0: b"a", HOLE // 2: b"b"}, {0: b"a", HOLE // 2: b"b"}, True),
        ({0: b"a", HOLE // 2: b"\0" * 9000}, {0: b"a"}, True),
        ({0: b"a", HOLE // 2: b"b"}, {0: b"a"}, False),
        ({0: b"a"}, {0: b"a", HOLE - 1: b"b"}, False),
        ({}, {}, True),
    ],
)
def test_holes_are_compared_without_being_read(trees, ours, theirs, is_same):
    for tree, parts in ((trees / "source", ours), (trees / "destination", theirs)):
        with (tree / "sparse").open("wb") as stream:
            for at, data in parts.items():
                stream.seek(at)
                stream.write(data)
            stream.truncate(HOLE)
        for path in (tree / "sparse", tree):
            os.utime(path, ns=(PAST, PAST))
    verdict = compare(trees)
    assert (verdict.different == 0) == is_same
    assert verdict.read < HOLE // 4


def test_the_same_is_read_once(trees):
    first = compare(trees)
    assert (first.different, first.shown) == (0, [])
    assert first.read == sum(len(name) * 1000 for name in NAMES) + 1000
    assert compare(trees)[:3] == (first.entries, 0, 0)
    assert sorted(os.listdir(trees)) == ["destination", "memory", "source"]
    assert stat.S_IMODE(os.stat(trees / "memory").st_mode) == 0o600


def test_a_walk_tells_how_far_it_is_whether_it_reads_or_remembers(trees):
    for _time in range(2):
        told = []
        compare(trees, progress=told.append)
        assert sum(told) == sum(len(name) * 1000 for name in NAMES) + 1000
        assert len(told) > len(NAMES)
    told = []
    compare(trees, quick=True, progress=told.append)
    assert sum(told) == sum(len(name) * 1000 for name in NAMES) + 1000


def test_only_what_was_written_is_read_again(trees):
    compare(trees)
    with open(trees / "source" / "a.d" / "file", "r+b") as stream:
        stream.write(b"b")
    os.utime(trees / "source" / "a.d" / "file", ns=(PAST, PAST))
    found = compare(trees)
    assert (found.read, found.shown) == (1000, ["a.d/file: its contents differ"])
    # What differed is not remembered, and its neighbours are.
    assert compare(trees).read == 1000
    assert compare(trees, quick=True)[1:3] == (0, 0)
    assert compare(trees).read == 1000


class Mounted:
    """What stat says of a file of another file system."""

    def __init__(self, found):
        self._found, self.st_dev = found, found.st_dev + 1

    def __getattr__(self, name):
        return getattr(self._found, name)


def write(path, text=b"x"):
    with open(path, "wb") as stream:
        stream.write(text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda top: os.unlink(top / "pipe"), "pipe: it is missing in the copy"),
        (lambda top: write(top / "new"), "new: it is only in the copy"),
        (lambda top: os.chmod(top / "z.d" / "file", 0o4755), "z.d/file: its type or mode differs"),
        (lambda top: os.utime(top / "z.d", ns=(1, PAST + 1)), "z.d: its time of change differs"),
        (lambda top: os.truncate(top / "a.d" / "file", 1), "a.d/file: its time of change differs"),
        (lambda top: os.setxattr(top / "a.d", "user.a", b"1"), "a.d: its extended attributes or ACLs differ"),
        (lambda top: (os.unlink(top / "link"), os.symlink("elsewhere", top / "link")), "link: "),
        (
            lambda top: (os.unlink(top / "z.d/other name"), shutil.copy2(top / "z.d/file", top / "z.d/other name")),
            "z.d",
        ),
        (lambda top: (shutil.rmtree(top / "z.d"), os.symlink("a.d", top / "z.d")), "z.d: its type or mode differs"),
    ],
)
def test_every_difference_has_a_name(trees, change, said):
    compare(trees)
    change(trees / "destination")
    found = compare(trees)
    assert found.different >= 1
    assert any(line.startswith(said) for line in found.shown), found


def test_a_difference_of_hard_links_is_one(trees):
    os.unlink(trees / "destination/z.d/other name")
    shutil.copy2(trees / "destination/z.d/file", trees / "destination/z.d/other name")
    os.utime(trees / "destination/z.d", ns=(PAST, PAST))
    assert compare(trees).shown == ["z.d/other name: its hard links differ"]


def test_a_name_outside_of_the_volume_is_none_of_ours(trees):
    os.link(trees / "source/z.d/file", trees / "backup")
    assert compare(trees).different == 0


def test_only_the_first_of_many_are_named(trees):
    shutil.rmtree(trees / "destination")
    os.mkdir(trees / "destination")
    found = compare(trees)
    assert found.different > len(found.shown) == 5


def test_what_is_written_during_a_copy_is_never_remembered(trees):
    since = os.stat(trees / "source").st_ctime_ns - 10**12
    found = compare(trees, since=since)
    assert (found.read, found.different) == (0, 0)
    assert os.stat(trees / "source" / "a.d" / "file").st_mtime_ns == PAST
    # The copy has another time now, so that the next copy takes the file again.
    assert os.stat(trees / "destination" / "a.d" / "file").st_mtime_ns == PAST + 10**9
    assert compare(trees).different == len(NAMES) + 1


@pytest.mark.parametrize("top", ["source", "destination"])
def test_what_lies_on_another_file_system_is_read_every_time(trees, monkeypatch, top):
    """As below a mount point inside of a volume: nobody synced it, and inode numbers repeat there."""
    mounted, lstat = os.fsencode(trees / top / "z.d"), walk._lstat

    def look(path):
        found = lstat(path)
        elsewhere = path == mounted or path.startswith(mounted + b"/")
        return Mounted(found) if found and elsewhere else found

    monkeypatch.setattr(walk, "_lstat", look)
    assert compare(trees).different == 0
    assert compare(trees).read == 2000
    with open(trees / "source/z.d/file", "r+b") as stream:
        stream.write(b"Z")
    os.utime(trees / "source/z.d/file", ns=(PAST, PAST))
    assert compare(trees).shown == ["z.d/file: its contents differ", "z.d/other name: its contents differ"]


def test_after_a_boot_everything_is_read_again(trees, monkeypatch):
    first = compare(trees)
    text = (trees / "memory").read_bytes()
    (trees / "memory").write_bytes(text.replace(text[2:6], b"0000", 1))
    assert compare(trees).read == first.read


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"\n\n", None])
def test_a_damaged_memory_only_costs_time(trees, damage):
    first = compare(trees)
    text = (trees / "memory").read_bytes()
    (trees / "memory").write_bytes(text[: len(text) // 2] if damage is None else damage)
    again = compare(trees)
    assert again.different == 0
    assert 0 < again.read <= first.read
    assert compare(trees).read == 0


def test_a_walk_that_fails_leaves_what_was_remembered(trees, monkeypatch):
    compare(trees)
    with monkeypatch.context() as patch:
        patch.setattr(verify.os, "readlink", lambda _path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            compare(trees)
    assert compare(trees).read == 0
    assert not (trees / "memory.part").exists()


@pytest.mark.parametrize("name", NAMES)
def test_names_survive_the_memory(name):
    assert b"\n" not in compare_cache._escaped(name)
    assert compare_cache._unescaped(compare_cache._escaped(name)) == name
