# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is the old one or the new one, whoever is killed while writing it, and nothing stays beside it."""

from __future__ import annotations

import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import files


def killed_while_writing(path):
    """What a process leaves that is killed before the file is in its place."""
    child = os.fork()
    if not child:
        files.os.replace = lambda *_paths: os.kill(os.getpid(), signal.SIGKILL)
        files.write_file(path, "half", mode=0o644)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path):
    path = tmp_path / "web.container"
    files.write_file(path, "old")
    killed_while_writing(path)
    assert path.read_text() == "old"
    assert len(os.listdir(tmp_path)) == 2
    files.write_file(path, "new", mode=0o600)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["web.container"]


@pytest.mark.parametrize("is_there", [True, False])
def test_it_goes_with_the_file(tmp_path, is_there):
    path = tmp_path / "web.container"
    if is_there:
        files.write_file(path, "old")
    killed_while_writing(path)
    files.remove_file(path)
    files.remove_file(path)
    assert os.listdir(tmp_path) == []


def test_writers_at_the_same_time_write_whole_files(tmp_path):
    path = tmp_path / "engine.json"
    texts = [letter * 5000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(8) as pool:
        for _round in range(50):
            list(pool.map(lambda text: files.write_file(path, text), texts))
            assert path.read_text() in texts
    assert os.listdir(tmp_path) == ["engine.json"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "plan.json"
    files.write_file(path, "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_file(path, "\udcff")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["plan.json"]


def test_a_link_in_its_way_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".plan.json.new").symlink_to("precious")
    with pytest.raises(OSError, match="plan.json"):
        files.write_file(tmp_path / "plan.json", "new")
    assert (tmp_path / "precious").read_text() == "kept"
