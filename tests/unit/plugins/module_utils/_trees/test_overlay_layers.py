# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of a container is read as its processes saw it, running or stopped, and nothing stays mounted.

What needs the kernel is skipped where this user may not mount.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack, contextmanager

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import overlay_layers as _layers
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.mount_namespace import Source, confined
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.module_utils._trees.test_rsync import picture
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.mounting import needs_mounts

PATH = "/var/lib/app"
MOST = 128
"""The layers that Docker's images can have."""


class Container:
    """A container in Docker's storage; ``root`` is its file system while it runs."""

    def __init__(self, root, layers=3):
        self.data_root = str(root)
        store = root / "overlay2"
        self.layers = [str(store / "{0:064d}".format(number) / "diff") for number in range(layers)]
        for number, layer in enumerate(self.layers):
            os.makedirs(layer + PATH)
            with open("{0}{1}/layer{2}".format(layer, PATH, number), "w") as stream:
                stream.write(str(number))
        self.root, work = str(store / "merged"), str(store / "work")
        for folder in (self.root, work, store / "l"):
            os.makedirs(folder)
        for number, layer in enumerate(self.layers):
            os.symlink(layer, str(store / "l" / str(number)))
        lower = ":".join("l/{0}".format(number) for number in range(1, layers))
        options = "index=off,lowerdir={0},upperdir=l/0,workdir={1}".format(lower, work)
        self._mount = ["mount", "-t", "overlay", "overlay", "-o", options, self.root]
        self._store = str(store)

    def __enter__(self):
        subprocess.run(self._mount, cwd=self._store, check=True)
        return self

    def __exit__(self, *_error):
        subprocess.run(["umount", self.root], check=True)

    def trees(self, tmp_path):
        (tmp_path / "copy").mkdir(exist_ok=True)
        source = "c0ffee:" + PATH
        return Trees("v", source, str(tmp_path / "copy"), tmp_path / "v.seen", tuple(self.layers))


@contextmanager
def opened(layers, path=PATH):
    """What can be called in a thread that sees a folder of these layers, and its path there."""
    source = Source(path, tuple(layers), "v")
    with ExitStack() as stack:
        yield stack.enter_context(confined([source])).run, source.seen


def write(path, text):
    with open(path, "w") as stream:
        stream.write(text)


def mounts(folder):
    """Those below a folder: others may come and go meanwhile."""
    with open("/proc/self/mountinfo") as stream:
        return [line for line in stream if str(folder) in line]


@needs_mounts
@pytest.mark.parametrize("layers", [3, MOST + 2])
def test_the_copy_is_what_the_container_sees_and_then_what_it_left(tmp_path, layers):
    with Container(tmp_path / "docker", layers) as running:
        app, before, trees = running.root + PATH, mounts(tmp_path), running.trees(tmp_path)
        os.unlink(app + "/layer1")
        os.mkdir(app + "/folder")
        write(app + "/folder/new", "new")
        os.link(app + "/folder/new", app + "/link")
        os.mkfifo(app + "/pipe")
        os.chown(app + "/layer2", 1234, 4321)
        assert rounds.warm(trees).files > 0
        assert picture(trees.destination) == picture(app)
        shutil.rmtree(app + "/folder")
        os.mkdir(app + "/folder")
        write(app + "/layer0", "again")
        assert rounds.warm(trees).files == 1
        seen = picture(app)
        assert mounts(tmp_path) == before
    # Stopped: Docker has unmounted it, and only the layers are left.
    assert os.listdir(running.root) == []
    assert rounds.final(trees).changes == 0
    assert picture(trees.destination) == seen


@needs_mounts
def test_what_the_container_writes_last_is_copied_in_the_end(tmp_path):
    with Container(tmp_path / "docker") as running:
        trees = running.trees(tmp_path)
        rounds.warm(trees)
        write(running.root + PATH + "/last", "last")
    assert rounds.final(trees).files == 1
    with open(trees.destination + "/last") as stream:
        assert stream.read() == "last"


@needs_mounts
def test_what_was_compared_while_it_ran_is_not_read_again_in_the_window(tmp_path, monkeypatch):
    with Container(tmp_path / "docker") as running:
        trees = running.trees(tmp_path)
        rounds.warm(trees)
    verdicts, compare = [], rounds.compare.compare
    monkeypatch.setattr(
        rounds.compare, "compare", lambda *given, **named: verdicts.append(compare(*given, **named)) or verdicts[-1]
    )
    rounds.final(trees)
    assert (verdicts[0].read, verdicts[0].different) == (0, 0)


@needs_mounts
def test_the_disk_that_is_written_to_is_synced(tmp_path, monkeypatch):
    """Or a page that is mapped and dirty would be written again without a new time."""
    synced, run = [], rounds.run
    monkeypatch.setattr(rounds, "run", lambda argv: synced.append(argv[-1]) or run(argv))
    with Container(tmp_path / "docker") as running:
        rounds.warm(running.trees(tmp_path))
    assert synced[0] == running.layers[0]


@needs_mounts
def test_a_container_can_start_again_while_it_is_read(tmp_path):
    stopped = Container(tmp_path / "docker")
    with opened(stopped.layers) as (run, folder):
        with stopped:
            write(stopped.root + PATH + "/new", "new")
        assert "layer0" in run(os.listdir, folder)


@needs_mounts
def test_a_mount_that_fails_leaves_nothing(tmp_path):
    layers, before = Container(tmp_path / "docker").layers, mounts(tmp_path)
    shutil.rmtree(layers[1])
    with pytest.raises(TreeError, match="No namespace can be made for " + PATH + ": No such file or directory"):
        with opened(layers):
            pass
    assert mounts(tmp_path) == before


@needs_mounts
def test_nothing_stays_mounted_when_a_round_fails(tmp_path):
    layers, before = Container(tmp_path / "docker").layers, mounts(tmp_path)
    with pytest.raises(ZeroDivisionError):
        with opened(layers):
            raise ZeroDivisionError
    assert mounts(tmp_path) == before


@pytest.fixture
def root(tmp_path):
    """The root of a container, opened."""
    (tmp_path / "srv" / "data").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("/etc")
    handle = os.open(str(tmp_path), os.O_PATH)
    yield handle
    os.close(handle)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/gone", "v: /gone does not exist in the container"),
        ("/file", "v: /file is no folder of the container"),
        ("/link/passwd", "v: /link/passwd is no folder of the container, or is reached through a symbolic link there"),
        ("/link", "v: /link is no folder of the container, or is reached through a symbolic link there"),
        ("/srv/../../etc", "v: /srv/../../etc is no folder of the container"),
    ],
)
def test_no_link_of_the_container_leads_to_the_host(root, path, complaint):
    with pytest.raises(TreeError) as refusal:
        _layers.inside(root, path, "v")
    assert complaint in str(refusal.value)


def test_a_folder_that_is_replaced_by_a_link_meanwhile_is_still_read(root, tmp_path):
    folder = _layers.inside(root, "/srv", "v")
    os.rename(str(tmp_path / "srv"), str(tmp_path / "was"))
    (tmp_path / "srv").symlink_to("/etc")
    assert os.listdir("/proc/self/fd/{0}".format(folder)) == ["data"]
    os.close(folder)


@pytest.mark.parametrize(
    "place", ["volumes/x", "overlay2/x/../../y", "overlay2", "overlay2/link/diff", "overlay2/gone"]
)
def test_layers_are_dockers_or_nothing_is_read(tmp_path, place):
    for folder in ("volumes/x", "y/diff", "overlay2/x"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "overlay2" / "link").symlink_to(tmp_path / "y")
    _layers.require("v", [str(tmp_path / "overlay2/x")], str(tmp_path))
    with pytest.raises(TreeError, match="^v: its layer"):
        _layers.require("v", [str(tmp_path / "overlay2/x"), str(tmp_path / place)], str(tmp_path))
