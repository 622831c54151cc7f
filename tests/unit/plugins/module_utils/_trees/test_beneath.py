# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names are opened part by part: no link leads out, nothing but a regular file is opened, and no descriptor stays."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import beneath


@pytest.fixture
def top(tmp_path):
    """A folder with one thing of each kind; next to it the host."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "file").write_text("secret")
    folder = tmp_path / "top"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").write_text("there")
    (folder / "out").symlink_to("../host")
    (folder / "file-out").symlink_to("../host/file")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture(autouse=True)
def none_left():
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


def read(folder, path):
    handle = os.open(str(folder), os.O_PATH)
    try:
        with open(beneath.reading(handle, path.encode())) as stream:
            return stream.read()
    finally:
        os.close(handle)


@pytest.mark.parametrize("path", ["deep/er/file", "/deep//er/file", "deep/er/file/"])
def test_a_file_is_read_where_it_is(top, path):
    assert read(top, path) == "there"
    assert stat.S_ISREG(beneath.status(str(top), path).st_mode)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("out/file", errno.ENOTDIR), ("file-out", errno.ENXIO), ("../host/file", errno.ELOOP), ("pipe", errno.ENXIO),
        ("deep/er", errno.ENXIO), ("", errno.ENXIO), ("deep/er/file/x", errno.ENOTDIR), ("gone", errno.ENOENT),
    ],
)  # fmt: skip
def test_nothing_else_is(top, path, number):
    with pytest.raises(OSError, match=r"\[Errno {0}\]".format(number)):
        read(top, path)


def test_a_link_is_looked_at_itself(top):
    assert stat.S_ISLNK(beneath.status(str(top), "/out").st_mode)
    assert stat.S_ISDIR(beneath.status(str(top), "/").st_mode)
    with pytest.raises(NotADirectoryError):
        beneath.status(str(top), "/out/file")
