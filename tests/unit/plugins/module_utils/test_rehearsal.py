# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A start is rehearsed while Docker serves: once a boot, it leaves nothing behind, and a move does not depend on
it."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _rehearsal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import CommandError, Completed

RECORD = {"containers": [{"id": "0123456789abcdef"}], "images": ["docker.io/blog/web:1", "docker.io/blog/db:1"]}
NAME = "docker_to_podman-rehearsal-0123456789ab"


@pytest.fixture
def podman(monkeypatch, tmp_path):
    """What was run; ``fails`` holds first words of what does not work."""

    class Podman(list):
        fails = ()

        def run(self, argv, check=True):
            words = " ".join(argv[1:])
            self.append(words)
            bad = words.startswith(tuple(self.fails))
            if bad and check:
                raise CommandError("podman failed.")
            return Completed(1 if bad else 0, "", "")

    found = Podman()
    monkeypatch.setattr(_rehearsal, "run", found.run)
    monkeypatch.setattr(_rehearsal, "SCRATCH_DIR", str(tmp_path / "scratch"))
    return found


@pytest.mark.parametrize("fails", [(), ("create",), ("init",), ("network create",)])
def test_it_leaves_nothing_behind_and_may_fail(podman, fails):
    podman.fails = fails
    assert not _rehearsal.is_over(RECORD)
    _rehearsal.perform(RECORD)
    assert _rehearsal.is_over(RECORD)
    begun = ["network create " + NAME, "create --image-volume=ignore", "init " + NAME]
    assert [words for words in podman if words.startswith(tuple(begun))] != []
    assert podman[-3:] == ["rm --force --ignore --time=0 " + NAME, "network exists " + NAME, "network rm " + NAME]
    assert "docker.io/blog/db:1" not in " ".join(podman)


def test_no_program_of_the_image_is_run(podman):
    _rehearsal.perform(RECORD)
    assert not [words for words in podman if words.startswith(("run", "start", "exec"))]


def test_a_workload_without_images_has_nothing_to_rehearse(podman):
    _rehearsal.perform({**RECORD, "images": []})
    assert not [words for words in podman if "create" in words]
