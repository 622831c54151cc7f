# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that exchanges names of its volume while it is copied gets nothing of the host, and holds nothing up.

The kernel tells of every opening (inotify(7)), whoever does it. For longer, with the oldest rsync too: make hostile.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import clone, mount_namespace, rsync
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.mount_namespace import Source
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds, space
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._trees.test_overlay_layers import (
    PATH,
    Container,
)
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._trees.test_rsync import picture
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.mounting import needs_mounts

SECONDS = float(os.environ.get("HOSTILE_SECONDS", "2"))
# Folders with an rsync: "" is this machine's own.
RSYNCS = ["", *os.environ.get("HOSTILE_RSYNC", "").split()]
EACH, PIPES = 20, 2
"""How many pairs there are of each kind; rsync waits a second for each pipe that it comes upon."""
PAST = 1_000_000_000

pytestmark = needs_mounts

EXCHANGES = """
import ctypes, os, sys
os.chdir(sys.argv[1])
names = [name[:-2].encode() for name in os.listdir(".") if name.endswith(".a")]
exchange = ctypes.CDLL(None).renameat2
print("begun", flush=True)
while True:
    for name in names:
        exchange(-100, name + b".a", -100, name + b".b", 2)
"""


def file(path, host, text=b"the container's own, as long as it is"):
    path.write_bytes(text)


def folder(path, host):
    path.mkdir()
    file(path / "key", host)
    (path / "deep").mkdir()
    file(path / "deep" / "key", host)


def empty_folder(path, host):
    path.mkdir()


def link_to_folder(path, host):
    path.symlink_to(host)


def link_to_file(path, host):
    path.symlink_to(host / "key")


def device(path, host):
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 7))


def pipe(path, host):
    os.mkfifo(path)


KINDS = [
    (folder, link_to_folder), (file, link_to_file), (file, device), (folder, file), (folder, empty_folder),
    (link_to_file, device), (file, pipe),
]  # fmt: skip


def fill(folder, secret):
    """Pairs that can be exchanged."""
    for one, other in KINDS:
        for number in range(PIPES if other is pipe else EACH):
            name = "{0}-{1}-{2}".format(one.__name__, other.__name__, number)
            one(folder / (name + ".a"), secret)
            other(folder / (name + ".b"), secret)
    for place, folders, files in os.walk(folder, topdown=False):
        for name in [*files, *folders]:
            os.utime(os.path.join(place, name), (PAST, PAST), follow_symlinks=False)


@pytest.fixture
def secret(tmp_path):
    """What a volume must not get at: a folder with files as long and as old as those of the volume."""
    found = tmp_path / "host" / "secret"
    found.parent.mkdir()
    folder(found, found)
    file(found / "key", found, b"the host's secret, and just as long it")
    os.utime(found / "key", (PAST, PAST))
    return found


@pytest.fixture
def trees(tmp_path, secret):
    """A volume full of such pairs."""
    for name in ("volume", "copy"):
        (tmp_path / name).mkdir()
    fill(tmp_path / "volume", secret)
    return Trees("v", str(tmp_path / "volume"), str(tmp_path / "copy"), tmp_path / "v.seen")


class Openings:
    """Sees whenever one of these files, devices and folders is opened, or a file in one of these folders."""

    IN_OPEN = 0x20

    def __init__(self, paths):
        libc = ctypes.CDLL(None)
        self._handle = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._watched = {libc.inotify_add_watch(self._handle, os.fsencode(path), self.IN_OPEN): path for path in paths}
        assert -1 not in self._watched

    def since(self):
        """What was opened since the last call; devices by the names that they had first."""
        found = set()
        while True:
            try:
                events = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return sorted(found)
            while events:
                number, mask, _cookie, length = struct.unpack_from("iIII", events)
                # What is watched can also be unmounted.
                if mask & self.IN_OPEN:
                    found.add(os.path.join(self._watched[number], events[16 : 16 + length].rstrip(b"\0").decode()))
                events = events[16 + length :]


def watched(source, secret):
    """What tells which file of the host, or device of the volume, was opened since it was last asked."""
    devices = [path for path in Path(source).iterdir() if stat.S_ISCHR(path.lstat().st_mode)]
    watch = Openings([*devices, secret, *secret.rglob("*")])
    assert (len(devices) > EACH, watch.since()) == (True, [])
    (secret / "key").read_bytes()
    assert watch.since() != []
    return watch.since


@pytest.fixture
def opened(trees, secret):
    return watched(trees.source, secret)


@contextmanager
def attacked(folder):
    with subprocess.Popen([sys.executable, "-c", EXCHANGES, folder], stdout=subprocess.PIPE) as attacker:
        attacker.stdout.readline()
        try:
            yield
        finally:
            attacker.kill()


def holds_a_secret(tree):
    paths = [Path(place, name) for place, _folders, files in os.walk(tree) for name in files]
    regular = [path for path in paths if stat.S_ISREG(path.lstat().st_mode)]
    return [path for path in regular if b"host's secret" in path.read_bytes()]


@pytest.fixture(params=RSYNCS)
def which_rsync(request, monkeypatch):
    if request.param:
        monkeypatch.setenv("PATH", request.param + ":" + os.environ["PATH"])
        monkeypatch.setattr(mount_namespace, "_PROGRAMS", (*mount_namespace._PROGRAMS, request.param))


def is_over(until):
    return time.monotonic() >= until


def test_staging_and_the_last_round_end_well(trees, opened, which_rsync):
    until = time.monotonic() + SECONDS
    with attacked(trees.source):
        while not is_over(until):
            rounds.warm(trees)
            assert holds_a_secret(trees.destination) == []
    rounds.warm(trees)
    rounds.final(trees)
    assert picture(trees.destination) == picture(trees.source)
    assert opened() == []


def test_without_reading_the_contents_too(trees, opened, which_rsync):
    quick, until = trees._replace(memory=None), time.monotonic() + SECONDS
    with attacked(trees.source):
        while not is_over(until):
            rounds.warm(quick)
    rounds.final(quick)
    assert (holds_a_secret(trees.destination), opened()) == ([], [])


def test_a_folder_of_the_container_itself_is_no_other(tmp_path, secret, which_rsync):
    with Container(tmp_path / "docker") as running:
        app, trees = running.root + PATH, running.trees(tmp_path)
        fill(Path(app), secret)
        opened, until = watched(app, secret), time.monotonic() + SECONDS
        with attacked(app):
            while not is_over(until):
                rounds.warm(trees)
                assert holds_a_secret(trees.destination) == []
        seen = picture(app)
    rounds.final(trees)
    assert (picture(trees.destination), opened()) == (seen, [])


def test_what_clones_and_measures_opens_nothing_either(trees, opened, monkeypatch, tmp_path):
    """This file system may be none that can clone; what comes before that is the same."""
    monkeypatch.setattr(clone, "_clone", lambda _ours, _theirs: None)
    until, number = time.monotonic() + SECONDS, 0
    with attacked(trees.source):
        while not is_over(until):
            number += 1
            (tmp_path / str(number)).mkdir()
            clone.fill(trees.source, str(tmp_path / str(number)), lambda _count: None)
            assert space.measure(Source(trees.source)).size > 0
            for kind in KINDS:
                name = "{0}-{1}-0.a".format(*(half.__name__ for half in kind))
                clone.can(trees.source, name.encode(), str(tmp_path))
    assert opened() == []


def test_a_file_that_nobody_may_read_is_no_such_exchange(tmp_path, monkeypatch):
    """It would only be noticed in the last round, when the application is down."""
    (tmp_path / "file").touch()
    line = 'rsync: [sender] send_files failed to open "{0}": Permission denied (13)'.format(tmp_path / "file")
    assert rsync._has_moved_on(line)

    def refused(*_given):
        raise PermissionError

    monkeypatch.setattr(rsync.os, "open", refused)
    assert not rsync._has_moved_on(line)
    (tmp_path / "file").unlink()
    os.mkfifo(tmp_path / "file")
    assert rsync._has_moved_on(line)
