# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A writable layer becomes a layer of an image, with all that a file system can hold, and what was removed stays so."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import layer_archive
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.layer_archive import LayerError
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._trees import test_rsync
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._trees.test_overlay_layers import (
    PATH,
    Container,
    needs_mounts,
    write,
)
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._trees.test_rsync import picture

# The tree with every oddity.
source = test_rsync.source

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make all this")


def archive(folder):
    stream = io.BytesIO()
    layer_archive.write(str(folder), stream)
    return stream.getvalue()


def names(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        return [member.name for member in opened]


@as_root
@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not installed")
def test_an_archive_holds_everything_but_sockets(source, destination_of):
    content = archive(source)
    os.unlink(source + "/socket")
    # Docker's archives do not hold it either: who listens makes it anew.
    subprocess.run(
        ["tar", "-x", "-p", "--same-owner", "--xattrs", "--xattrs-include=*", "-C", destination_of],
        input=content,
        check=True,
    )
    os.utime(source, ns=(1, 1111111111222222222))
    assert picture(destination_of) == picture(source)


@pytest.fixture
def destination_of(tmp_path):
    (tmp_path / "unpacked").mkdir()
    return str(tmp_path / "unpacked")


def test_the_same_folder_gives_the_same_archive(tmp_path):
    for name in ("b", "a/c", "a/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert names(archive(tmp_path)) == [".", "a", "a/b", "a/c", "b"]
    assert archive(tmp_path) == archive(tmp_path)


def test_a_time_before_1970_is_one(tmp_path):
    os.utime(str(tmp_path), ns=(0, -1500000000))
    with tarfile.open(fileobj=io.BytesIO(archive(tmp_path))) as opened:
        assert opened.next().mtime == -1.5


@needs_mounts
def test_what_was_removed_stays_removed(tmp_path):
    with Container(tmp_path / "docker") as running:
        app = running.root + PATH
        os.unlink(app + "/layer1")
        shutil.rmtree(running.root + "/var/lib")
        os.makedirs(app)
        write(app + "/new", "new")
    # Opaque as a whole: of what was below nothing is left.
    assert names(archive(running.layers[0])) == [
        ".",
        "var",
        "var/lib",
        "var/lib/.wh..wh..opq",
        "var/lib/app",
        "var/lib/app/new",
    ]


@needs_mounts
def test_a_removed_file_is_named(tmp_path):
    with Container(tmp_path / "docker") as running:
        os.unlink(running.root + PATH + "/layer1")
    assert "var/lib/app/.wh.layer1" in names(archive(running.layers[0]))
    assert "var/lib/app/layer1" not in names(archive(running.layers[0]))


def test_a_name_that_would_remove_something_is_refused(tmp_path):
    (tmp_path / ".wh.passwd").write_text("")
    with pytest.raises(LayerError, match=r"the name '/\.wh\.passwd' would mean that something was removed"):
        archive(tmp_path)


@as_root
@pytest.mark.parametrize("attribute", ["redirect", "metacopy"])
def test_what_the_kernel_keeps_elsewhere_is_refused(tmp_path, attribute):
    (tmp_path / "renamed").mkdir()
    os.setxattr(str(tmp_path / "renamed"), "trusted.overlay." + attribute, b"was")
    with pytest.raises(LayerError, match="the kernel keeps a part of '/renamed' elsewhere"):
        archive(tmp_path)


@as_root
def test_overlayfs_own_attributes_are_left_out(tmp_path):
    os.setxattr(str(tmp_path), "trusted.overlay.origin", b"x")
    os.setxattr(str(tmp_path), "trusted.mine", b"y")
    with tarfile.open(fileobj=io.BytesIO(archive(tmp_path))) as opened:
        headers = opened.next().pax_headers
    assert {name for name in headers if "xattr" in name} == {"SCHILY.xattr.trusted.mine"}
