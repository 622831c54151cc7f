# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing images: which are copied, what is verified, and what the user reads when it cannot be done."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import disk_space
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.disk_space import Place
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.progress import Progress
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import content_store
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import selection, source, verified
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import transfer as image_copies
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images.selection import Image, ImageError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images.space import Way
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images.verified import ImageRecord
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman.storage import Image as PodmanImage
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.ownership import Ownership
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_podman import FakeDocker, FakePodman

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
REDIS, CACHE = "docker.io/library/redis:7", "example.org:5000/team/cache:1"


def wanted(source_id=A, names=(REDIS,), config_digest="same", diff_ids=("sha256:l1",), size=10, digests=()):
    known = source_id if config_digest == "same" else config_digest
    return {
        "source_id": source_id,
        "names": list(names),
        "config_digest": known,
        "diff_ids": list(diff_ids),
        "size": size,
        "digests": list(digests),
    }


def workload(*images):
    return {"name": "w", "containers": [], "images": list(images), "volumes": []}


@pytest.fixture
def podman(tmp_path, monkeypatch):
    fake = FakePodman(tmp_path / "podman").install(monkeypatch)
    fake.docker_images = {A: ("a" * 64, ["sha256:l1"]), B: ("b" * 64, ["sha256:l1", "sha256:l2"])}
    return fake


@pytest.fixture
def docker(podman, monkeypatch):
    monkeypatch.setattr(content_store, "_HOSTS_OWN", "/nowhere")
    monkeypatch.setattr(content_store, "_CONFIG", "/nowhere/config.toml")
    return FakeDocker("/run/docker.sock", podman.docker_images)


@pytest.fixture
def transfer(tmp_path, docker):
    (tmp_path / "copies").mkdir()

    def call(images=(), committed=(), check=False, **changes):
        given = {"retired": False, "data_root": str(tmp_path), "tmpdir": str(tmp_path / "copies"), "source": "docker"}
        owners = Ownership([workload(*images)], [workload(*committed)])
        before = set((tmp_path / "copies").iterdir())
        try:
            way, record = Way(docker, **{**given, **changes}), ImageRecord(tmp_path / "images.json")
            return image_copies.transfer(owners, way, record, Progress(), check=check)
        finally:
            assert set((tmp_path / "copies").iterdir()) <= before

    return call


def actions(results):
    return [(image["source_id"], image["action"]) for image in results]


def test_a_missing_image_is_copied_by_its_id_under_all_its_names(podman, transfer, docker):
    assert actions(transfer([wanted(names=[REDIS, CACHE])])) == [(A, "copied")]
    assert podman.images["a" * 64]["RepoTags"] == [REDIS, CACHE]
    assert docker.saved == [[A]]
    assert podman.writes()[0].startswith("skopeo copy --quiet docker-archive:")


def test_after_a_boot_what_was_brought_before_is_read_again_and_what_is_torn_is_replaced(
    podman, transfer, docker, monkeypatch
):
    images = [wanted(), wanted(B, [CACHE])]
    transfer(images)

    def reads():
        return len([call for call in podman.calls if call.startswith("podman save")])

    assert reads() == 0
    transfer(images)
    assert reads() == 0
    monkeypatch.setattr(verified, "boot_id", lambda: "the next one")
    assert actions(transfer(images)) == actions(transfer(images)) == [(A, "present"), (B, "present")]
    assert reads() == 2
    podman.torn = {"b" * 64}
    assert actions(transfer(images)) == [(A, "present"), (B, "present")]
    monkeypatch.setattr(verified, "boot_id", lambda: "the one after that")
    assert actions(transfer(images, check=True)) == [(A, "present"), (B, "would-copy")]
    assert actions(transfer(images)) == [(A, "present"), (B, "copied")]
    assert docker.saved == [[A, B], [B]]


def test_docker_saves_images_that_share_layers_at_once_and_the_others_apart(podman, transfer, docker):
    podman.docker_images[C] = ("c" * 64, ["sha256:l3"])
    images = [wanted(), wanted(B, [CACHE], diff_ids=["sha256:l1", "sha256:l2"]), wanted(C, [], diff_ids=["sha256:l3"])]
    assert actions(transfer(images)) == [(A, "copied"), (C, "copied"), (B, "copied")]
    assert sorted(docker.saved) == [[A, B], [C]]


def test_what_a_killed_run_left_is_removed_by_the_next_also_when_no_image_is_missing(podman, transfer, tmp_path):
    left = tmp_path / "copies" / "docker_to_podman-images-dead"
    for _time in range(2):
        left.mkdir()
        (left / "images.tar").touch()
        transfer([wanted()])
        assert not left.exists()


def test_nothing_else_is_removed_and_nothing_in_check_mode(podman, transfer, tmp_path):
    copies, precious = tmp_path / "copies", tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (copies / "docker_to_podman-images-link").symlink_to(precious)
    (copies / "docker_to_podman-images-file").touch()
    (copies / "docker_to_podman-other").mkdir()
    if os.geteuid() == 0:
        (copies / "docker_to_podman-images-somebody-s").mkdir()
        os.chown(copies / "docker_to_podman-images-somebody-s", 1234, 1234)
    before = sorted(copies.iterdir())
    transfer([wanted()])
    assert sorted(copies.iterdir()) == before
    assert list(precious.iterdir()) == [precious / "file"]
    (copies / "docker_to_podman-images-dead").mkdir()
    transfer([wanted()], check=True)
    assert (copies / "docker_to_podman-images-dead").exists()


def test_an_image_that_a_registry_still_has_is_pulled_by_its_digest(podman, transfer, docker):
    at_hub, elsewhere = (name.rpartition(":")[0] + "@sha256:" + "e" * 64 for name in (REDIS, CACHE))
    podman.registry[at_hub] = ("a" * 64, ["sha256:l1"])
    podman.registry[elsewhere] = ("f" * 64, ["other"])
    images = [wanted(digests=[at_hub]), wanted(B, [CACHE], digests=[elsewhere])]
    assert actions(transfer(images, source="registry")) == [(A, "pulled"), (B, "copied")]
    assert docker.saved == [[B]]


@pytest.fixture
def store(tmp_path):
    """containerd's store with one image for two platforms, of which one is here: (ID of its index, of its config)."""
    folder = tmp_path / "containerd" / "daemon" / "io.containerd.content.v1.content" / "blobs" / "sha256"
    folder.mkdir(parents=True)

    def keep(document):
        text = json.dumps(document).encode()
        digest = hashlib.sha256(text).hexdigest()
        (folder / digest).write_bytes(text)
        return "sha256:" + digest

    config = keep({"architecture": "amd64"})
    kinds = ["vnd.oci.image.layer.v1.tar+gzip", "vnd.docker.image.rootfs.diff.tar.gzip", "vnd.oci.image.layer.v1.tar"]
    layers = [{"mediaType": "application/" + kind, "digest": keep([kind]), "size": 7} for kind in kinds]
    oci = "application/vnd.oci.image.manifest.v1+json"
    manifest = keep({"mediaType": oci, "config": {"digest": config}, "layers": layers})
    listed = [
        {
            "digest": keep({"config": {"digest": "sha256:" + "0" * 64}}),
            "platform": {"os": "linux", "architecture": "x"},
        },
        {"digest": manifest, "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": keep({"config": {"digest": config}}), "platform": {"os": "unknown", "architecture": "unknown"}},
    ]
    return keep({"manifests": listed}), config


def test_containerd_s_store_is_read_as_it_is_while_docker_is_stopped(podman, transfer, docker, store, tmp_path):
    index, config = store
    podman.docker_images[config] = (config[7:], ["sha256:l1"])
    assert actions(transfer([wanted(index, config_digest=config)], retired=True)) == [(index, "copied")]
    assert podman.writes()[0].startswith("skopeo copy --quiet dir:")
    assert docker.saved == []
    _folder, manifest = content_store.find(str(tmp_path), index)
    kinds = [layer["mediaType"].partition("diff.")[2] for layer in manifest.document["layers"]]
    assert kinds == ["tar.gzip", "tar.gzip", "tar"]


@pytest.mark.parametrize(
    ("config", "is_found"),
    [
        ('version = 2\nroot = "{root}"\nstate = "/run/containerd"\n[grpc]\n', True),
        ("#root = '/nowhere'\n  root='{root}' # moved\n", True),
        ('[plugins."io.containerd.grpc.v1.cri"]\nroot = "{root}"\n', False),
        ('root = "relative"\n', False),
        ('rootless = "{root}"\n', False),
        ("\udcff", False),
    ],
)
def test_containerd_s_store_is_found_where_its_configuration_says(
    store, docker, tmp_path, monkeypatch, config, is_found
):
    index, _config = store
    (tmp_path / "containerd" / "daemon").rename(tmp_path / "moved")
    path = tmp_path / "config.toml"
    path.write_bytes(os.fsencode(config.replace("{root}", str(tmp_path / "moved"))))
    monkeypatch.setattr(content_store, "_CONFIG", str(path))
    assert (content_store.find(str(tmp_path / "docker"), index) is not None) is is_found


def test_a_store_that_is_not_found_is_said_with_the_folders_where_it_was_looked_for(podman, transfer, docker, tmp_path):
    docker.info = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    with pytest.raises(ImageError) as refusal:
        transfer([wanted(C)])
    for words in (
        REDIS,
        "/nowhere",
        str(tmp_path / "containerd" / "daemon"),
        "name it in /nowhere/config.toml",
        "assess",
    ):
        assert words in str(refusal.value)
    assert docker.saved == []


@pytest.mark.parametrize("image", ["sha256:" + "1" * 64, "../../etc/passwd", ""])
def test_what_the_store_does_not_have(store, tmp_path, image):
    assert content_store.find(str(tmp_path), image) is None


def test_an_index_that_names_itself_has_no_image(tmp_path):
    folder = tmp_path / "containerd" / "daemon" / "io.containerd.content.v1.content" / "blobs" / "sha256"
    folder.mkdir(parents=True)
    (folder / ("a" * 64)).write_text(json.dumps({"manifests": [{"digest": A, "platform": {"os": "linux"}}]}))
    assert content_store.find(str(tmp_path), A) is None


def test_a_second_call_changes_nothing_and_needs_no_docker(podman, transfer):
    transfer([wanted(), wanted(B, [])])
    before = len(podman.writes())
    assert actions(transfer([wanted(), wanted(B, [])], retired=True)) == [
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
    assert actions(transfer([], [wanted()], retired=True)) == [(A, "skipped")]
    assert actions(transfer([wanted()], [wanted(), wanted(B)])) == [(A, "copied"), (B, "skipped")]
    assert len([call for call in podman.calls if call.startswith("skopeo")]) == 1


def test_check_mode_says_what_would_be_copied(podman, transfer, monkeypatch):
    podman.add_image("a" * 64, [REDIS])
    assert actions(transfer([wanted(), wanted(B, [CACHE])], check=True)) == [(A, "present"), (B, "would-copy")]
    monkeypatch.setattr(image_copies.storage, "installed", lambda: False)
    podman.calls.clear()
    assert actions(transfer([wanted()], check=True)) == [(A, "would-copy")]
    assert podman.calls == []


@pytest.mark.parametrize(
    ("image", "changes", "said"),
    [
        (wanted(), {"retired": True}, REDIS + " and Docker is retired; bring it back with podman load"),
        (wanted(C), {}, "Docker did not save the image " + C),
        (wanted(A, config_digest=B), {}, B + " (" + REDIS + ") arrived as another one: Podman has " + A),
        (wanted(A, [], config_digest=B), {}, B + " (" + A + ") arrived as another one: Podman has no such image"),
        (wanted(size=10**18), {}, "Copying the images needs 400000000000 MB below"),
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


def test_an_image_waits_for_those_that_bring_its_layers():
    base, web, api, other = (
        Image("sha256:" + name, (), "", layers, 1)
        for name, layers in [("b", ("1", "2")), ("w", ("1", "2", "3")), ("a", ("1", "2", "3", "4")), ("o", ("2", "1"))]
    )
    assert selection.carriers([base, web, api, other]) == {
        "sha256:b": [],
        "sha256:w": ["sha256:b"],
        "sha256:a": ["sha256:b", "sha256:w"],
        "sha256:o": [],
    }
    assert selection.batches([base, other, web]) == [[base, other, web]]


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
    assert selection.same(image, held) is equal


def test_images_of_several_workloads_are_brought_once_and_bases_first():
    found = selection.needed(
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
    complaint = disk_space.short("It", places, "make room")
    assert said in complaint
    assert bool(said) == bool(complaint)


def test_a_layer_that_is_a_link_in_dockers_archive_is_named_by_the_file_it_is(tmp_path):
    """Docker 20.10 to 24: images that share a layer; skopeo takes the size of the link for that of the layer."""
    files = {f"{'1' * 64}/layer.tar": b"data", f"{'2' * 64}/layer.tar": None}
    manifest = [{"Config": f"{letter * 64}.json", "Layers": [name]} for letter, name in zip("ab", files)]

    class Docker:
        def download(self, _path, names):
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                for name, data in [*files.items(), ("manifest.json", json.dumps(manifest).encode())]:
                    member = tarfile.TarInfo(name)
                    member.type = tarfile.SYMTYPE if data is None else tarfile.REGTYPE
                    member.linkname = f"../{'1' * 64}/layer.tar" if data is None else ""
                    member.size = len(data or b"")
                    tar.addfile(member, io.BytesIO(data or b""))
            return [archive.getvalue()]

    found = source.save(Docker(), [A, B], tmp_path)
    assert [found[image].name.rpartition("@")[2] for image in (A, B)] == ["0", "1"]
    with tarfile.open(tmp_path / "images.tar") as tar:
        listed = json.load(tar.extractfile("manifest.json"))
    assert [item["Layers"] for item in listed] == [[f"{'1' * 64}/layer.tar"]] * 2
