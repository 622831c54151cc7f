# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A full or broken disk is said with the file it is about and what to do; the kernel itself names no file."""

from __future__ import annotations

import errno
import io
import json
import os
import sys

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import errors
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import source
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job import client, entry_point, tasks
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job.client import JobError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import append_journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import write_json
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import compare, compare_cache
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.mounting import Here

FULL = OSError(errno.ENOSPC, "No space left on device")


def fail(*_arguments, **_options):
    raise OSError(FULL.errno, FULL.strerror)


class Full:
    """A stream of a file on a full disk."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def close(self):
        self._stream.close()
        fail()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left", "/v/a"), "/v/a cannot be used: No space left; make room there and run"),
        (OSError(errno.EIO, "I/O error", b"/v/\xff"), "/v/\\xff cannot be used: I/O error; see the kernel's log"),
        (OSError(errno.EROFS, "Read-only", "/v"), "/v cannot be used: Read-only; make its file system writable and"),
        (OSError(errno.EACCES, "Denied", "/v"), "/v cannot be used: Denied; repair that and run this again."),
        (FULL, "Something on this host cannot be used: No space left on device; make room there and"),
        (OSError(errno.EBADF, "Bad file descriptor", 7), "Something on this host cannot be used: Bad file"),
    ],
)
def test_the_sentence(error, said):
    assert errors.sentence(error).startswith(said)


@pytest.mark.parametrize("write", [write_json, append_journal])
def test_records_name_their_file(tmp_path, monkeypatch, write):
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left") as error:
        write(tmp_path / "record", {})
    assert error.value.filename == str(tmp_path / "record")


@pytest.fixture
def trees(tmp_path):
    for top in ("source", "copy"):
        (tmp_path / top).mkdir()
        (tmp_path / top / "file").write_text("data")
        os.utime(tmp_path / top / "file", ns=(1, 1))
        os.utime(tmp_path / top, ns=(1, 1))
    return Trees("v", str(tmp_path / "source"), str(tmp_path / "copy"), tmp_path / "v.seen")


def test_a_comparison_that_cannot_be_remembered(trees, monkeypatch):
    opened = os.fdopen
    monkeypatch.setattr(compare_cache.os, "fdopen", lambda *given: Full(opened(*given)))
    with pytest.raises(TreeError) as refusal:
        rounds._compare(trees, Here, trees.memory, None)
    assert "Volume v cannot be compared: {0} cannot be used: No space left".format(trees.memory) in str(refusal.value)
    assert sorted(os.listdir(trees.memory.parent)) == ["copy", "source"]


@pytest.mark.parametrize("top", ["source", "copy"])
def test_a_file_that_cannot_be_read(trees, monkeypatch, top):
    class Broken(io.FileIO):
        def __init__(self, handle, *_mode):
            super().__init__(handle)
            self.is_broken = os.readlink("/proc/self/fd/{0}".format(handle)).endswith(top + "/file")

        def read(self, size=-1):
            if self.is_broken:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    monkeypatch.setattr(compare, "open", Broken, raising=False)
    with pytest.raises(TreeError, match=top + "/file cannot be used: Input/output error; see the kernel's log"):
        rounds._compare(trees, Here, trees.memory, None)


def test_an_archive_that_does_not_fit(tmp_path):
    class Docker:
        def download(self, *_path, **_query):
            yield b""
            fail()

    with pytest.raises(OSError, match="No space left") as error:
        source.save(Docker(), [], tmp_path)
    assert error.value.filename == str(tmp_path / "images.tar")


GIVEN = {"plan_path": "/nowhere/plan.json", "state_dir": "/nowhere"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a job whose work is ``work``."""
    write_json(tmp_path / "job" / "task.json", {"work": "images", "arguments": GIVEN, "environment": {}})
    monkeypatch.setattr(sys, "argv", ["program", str(tmp_path / "job")])
    return tmp_path / "job"


def test_the_work_says_it_and_so_does_the_module(folder, monkeypatch):
    monkeypatch.setitem(tasks.WORK, "images", fail)
    entry_point.main()
    said = "Something on this host cannot be used: No space left on device; make room there and run this again."
    assert json.loads((folder / "result.json").read_text()) == {"error": said}
    with pytest.raises(JobError, match="make room there"):
        client.call("images", GIVEN, check=True)


def test_work_does_not_fail_for_want_of_a_progress(folder, monkeypatch):
    def work(_given, _check, progress):
        progress.begin("images", 2)(1)
        return {"changed": True}

    monkeypatch.setitem(tasks.WORK, "images", work)
    monkeypatch.setattr(
        entry_point.os, "replace", lambda part, path: fail() if "progress" in path else os.rename(part, path)
    )
    entry_point.main()
    assert json.loads((folder / "result.json").read_text()) == {"result": {"changed": True}}
