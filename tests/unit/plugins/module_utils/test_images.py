# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing images: which are copied, what is verified, and what the user reads when it cannot be done."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _images
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import Image, ImageError, Place
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman import Image as PodmanImage
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._staging import Ownership
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_podman import FakePodman

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
REDIS, CACHE = "docker.io/library/redis:7", "example.org:5000/team/cache:1"


def wanted(source_id=A, names=(REDIS,), config_digest="same", diff_ids=("sha256:l1",), size=10):
    known = source_id if config_digest == "same" else config_digest
    return {
        "source_id": source_id,
        "names": list(names),
        "config_digest": known,
        "diff_ids": list(diff_ids),
        "size": size,
    }


def workload(*images):
    return {"name": "w", "containers": [], "images": list(images), "volumes": []}


@pytest.fixture
def podman(tmp_path, monkeypatch):
    fake = FakePodman(tmp_path / "podman").install(monkeypatch)
    fake.docker_images = {A: ("a" * 64, ["sha256:l1"]), B: ("b" * 64, ["sha256:l1", "sha256:l2"])}
    return fake


@pytest.fixture
def transfer(tmp_path):
    (tmp_path / "docker.sock").touch()

    def call(docker=(), committed=(), **changes):
        given = {"socket": str(tmp_path / "docker.sock"), "retired": False, "tmpdir": str(tmp_path), "check": False}
        plan = {"engine": {"data_root": str(tmp_path)}}
        owners = Ownership([workload(*docker)], [workload(*committed)])
        return _images.transfer(plan, owners, **{**given, **changes})

    return call


def actions(results):
    return [(image["source_id"], image["action"]) for image in results]


def test_a_missing_image_is_copied_by_its_id_under_all_its_names(podman, transfer, tmp_path):
    assert actions(transfer([wanted(names=[REDIS, CACHE])])) == [(A, "copied")]
    assert podman.images["a" * 64]["RepoTags"] == [REDIS, CACHE]
    assert podman.writes()[0] == (
        "skopeo copy --quiet --src-daemon-host=unix://{0}/docker.sock docker-daemon:{1} containers-storage:{2}".format(
            tmp_path, A, REDIS
        )
    )


def test_a_second_call_changes_nothing_and_needs_no_docker(podman, transfer):
    transfer([wanted(), wanted(B, [])])
    before = len(podman.writes())
    assert actions(transfer([wanted(), wanted(B, [])], socket="/nowhere", retired=True)) == [
        (A, "present"),
        (B, "present"),
    ]
    assert len(podman.writes()) == before


def test_an_image_that_podman_has_under_other_names_is_tagged(podman, transfer):
    podman.add_image("a" * 64, [REDIS])
    assert actions(transfer([wanted(names=[REDIS, CACHE])], check=True)) == [(A, "would-tag")]
    assert podman.writes() == []
    assert actions(transfer([wanted(names=[REDIS, CACHE])])) == [(A, "tagged")]
    assert podman.images["a" * 64]["RepoTags"] == [REDIS, CACHE]


def test_an_untagged_image_keeps_only_its_id(podman, transfer):
    assert actions(transfer([wanted(names=[])])) == [(A, "copied")]
    assert podman.images["a" * 64]["RepoTags"] == []


def test_a_name_that_podman_gave_to_another_image_moves(podman, transfer):
    podman.add_image("c" * 64, [REDIS])
    assert actions(transfer([wanted()])) == [(A, "copied")]
    assert podman.images["a" * 64]["RepoTags"] == [REDIS]


def test_images_of_committed_workloads_are_left_alone(podman, transfer):
    assert actions(transfer([], [wanted()], socket="/nowhere", retired=True)) == [(A, "skipped")]
    assert actions(transfer([wanted()], [wanted(), wanted(B)])) == [(A, "copied"), (B, "skipped")]
    assert len([call for call in podman.calls if call.startswith("skopeo")]) == 1


def test_check_mode_says_what_would_be_copied(podman, transfer, monkeypatch):
    podman.add_image("a" * 64, [REDIS])
    assert actions(transfer([wanted(), wanted(B, [CACHE])], check=True)) == [(A, "present"), (B, "would-copy")]
    monkeypatch.setattr(_images.podman, "installed", lambda: False)
    podman.calls.clear()
    assert actions(transfer([wanted()], check=True)) == [(A, "would-copy")]
    assert podman.calls == []


@pytest.mark.parametrize(
    ("image", "changes", "said"),
    [
        (wanted(), {"retired": True}, REDIS + " and Docker is retired; bring it back with podman load"),
        (wanted(), {"socket": "/nowhere"}, REDIS + " cannot be copied: /nowhere does not exist; start Docker"),
        (wanted(C), {}, REDIS + " was not copied: 'skopeo copy' failed with exit code 1: No such image"),
        (wanted(A, config_digest=B), {}, B + " (" + REDIS + ") arrived as another one: Podman has " + A),
        (wanted(A, [], config_digest=B), {}, B + " (" + A + ") arrived as another one: Podman has no such image"),
        (wanted(size=10**18), {}, "needs 3000000000000 MB below"),
        (wanted(), {"tmpdir": "/nowhere"}, "temporary files /nowhere does not exist"),
        (wanted("--help"), {}, "'--help' is not the ID of an image"),
        (wanted(names=["--all"]), {}, "'--all' is not a fully qualified image name"),
        (wanted(names=["library/redis:7"]), {}, "is not a fully qualified image name"),
        (wanted(names=["docker.io/library/redis"]), {}, "is not a fully qualified image name"),
        (wanted(names=["docker.io/a:1\nb"]), {}, "is not a fully qualified image name"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(podman, transfer, image, changes, said):
    with pytest.raises(ImageError) as refusal:
        transfer([image], **changes)
    assert said in str(refusal.value)


def test_one_failure_stops_the_copies_that_have_not_begun(podman, transfer):
    others = [wanted("sha256:{0:064x}".format(number), [], diff_ids=["x"] * 9) for number in range(40)]
    with pytest.raises(ImageError):
        transfer([wanted(C), *others])
    assert len([call for call in podman.calls if call.startswith("skopeo")]) < 40


@pytest.mark.parametrize(
    ("image", "held", "equal"),
    [
        (Image(A, (REDIS,), A, ("l",), 1), PodmanImage("a" * 64, [], ["l"]), True),
        (Image(A, (REDIS,), A, ("l",), 1), PodmanImage("b" * 64, [REDIS], ["l"]), False),
        (Image(A, (REDIS,), B, ("l",), 1), PodmanImage("a" * 64, [REDIS], ["l"]), False),
        (Image(A, (REDIS,), B, ("l",), 1), PodmanImage("b" * 64, [], ["l"]), True),
        # The containerd store: Docker's ID is another thing, and the config digest is not known.
        (Image(A, (REDIS,), "", ("l",), 1), PodmanImage("b" * 64, [REDIS], ["l"]), True),
        (Image(A, (REDIS,), "", ("l",), 1), PodmanImage("b" * 64, [CACHE], ["l"]), False),
        (Image(A, (REDIS,), "", ("l",), 1), PodmanImage("b" * 64, [REDIS], ["l", "m"]), False),
        (Image(A, (), "", ("l",), 1), PodmanImage("b" * 64, [], ["l"]), True),
        (Image(A, (), "", (), 1), PodmanImage("b" * 64, [], []), False),
    ],
)
def test_the_same_image(image, held, equal):
    assert _images.same(image, held) is equal


def test_images_of_several_workloads_are_brought_once_and_bases_first():
    found = _images.needed(
        [
            workload(wanted(B, [CACHE], diff_ids=["l1", "l2"])),
            workload(wanted(B, [REDIS], diff_ids=["l1", "l2"]), wanted(A, [])),
        ]
    )
    assert [(image.source_id, image.names) for image in found] == [(A, ()), (B, (CACHE, REDIS))]


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([Place("/store", 60, 100, 1), Place("/tmp", 90, 100, 2)], ""),
        ([Place("/store", 60, 100, 1), Place("/tmp", 40, 100, 1)], ""),
        ([Place("/store", 60 * 10**6, 10**8, 1), Place("/tmp", 41 * 10**6, 10**8, 1)], "101 MB below /store and /tmp"),
        ([Place("/store", 6, 100, 1), Place("/tmp", 10**7, 10**6, 2)], "10 MB below /tmp, but only 1 MB are free"),
    ],
)
def test_room_is_counted_for_each_file_system(places, said):
    assert said in _images.short(places)
    assert bool(said) == bool(_images.short(places))
