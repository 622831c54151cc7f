# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Podman of memory and folders behind the command line: answers what 5.4 answers to the commands that staging uses."""

from __future__ import annotations

import io
import json
import re
import tarfile
import threading
from pathlib import Path

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import command as _command
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import copier, verified
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman import storage
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds


class FakePodman:
    """``docker_images``: what skopeo finds of Docker's, ID -> (ID it has in Podman, layers); ``registry`` likewise, by
    digest. ``calls`` keeps what was run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = {}
        self.volumes = {}
        self.running = {}
        self.torn = set()
        self.docker_images = {}
        self.registry = {}
        self.calls = []
        self._lock = threading.Lock()
        (root / "volumes").mkdir(parents=True)

    def install(self, monkeypatch, present=True):
        for module in (storage, copier, verified, rounds):
            monkeypatch.setattr(module, "run", self.run)
        monkeypatch.setattr(storage, "installed", lambda: present)
        return self

    def add_image(self, image_id, names=(), layers=()):
        self.images[image_id] = {"Id": image_id, "RepoTags": list(names), "RootFS": {"Layers": list(layers)}}

    def add_volume(self, name, labels=None, options=None):
        mountpoint = self.root / "volumes" / name / "_data"
        mountpoint.mkdir(parents=True)
        self.volumes[name] = {
            "Name": name,
            "Mountpoint": str(mountpoint),
            "Labels": labels or {},
            "Options": options or {},
        }
        return mountpoint

    def writes(self):
        """The calls that changed something."""
        reading = (
            "podman images",
            "podman image inspect",
            "podman info",
            "podman volume ls",
            "podman ps",
            "podman save",
            "sync ",
        )
        return [call for call in self.calls if not call.startswith(reading) and "--dry-run" not in call]

    def run(self, argv, **_options):
        with self._lock:
            self.calls.append(" ".join(argv))
            if argv[0] == "sync":
                return _command.Completed(0, "", "")
            if argv[0] == "skopeo":
                return self._skopeo(argv)
            if argv[1] == "save":
                return _command.Completed(125 if argv[-1] in self.torn else 0, "", "")
            return _command.Completed(0, self._podman(argv), "")

    def _skopeo(self, argv):
        source, destination = argv[-2], argv[-1].partition(":")[2]
        found = self.registry.get(source[len("docker://") :]) or self.docker_images.get(_source_id(source))
        if found is None:
            return _command.Completed(1, "", "no such image")
        arrived, layers = found
        self._name(arrived, destination, layers)
        return _command.Completed(0, "", "")

    def _name(self, image_id, name, layers=()):
        for image in self.images.values():
            image["RepoTags"] = [other for other in image["RepoTags"] if other != name]
        if image_id not in self.images:
            self.add_image(image_id, (), layers)
        self.images[image_id]["RepoTags"].append(name)

    def _find(self, reference):
        return next(i for i, image in self.images.items() if reference == i or reference in image["RepoTags"])

    def _podman(self, argv):
        command = " ".join(argv[1:3])
        if argv[1] == "images":
            return "".join("sha256:{0}\n".format(image_id) for image_id in self.images)
        if command == "image inspect":
            return json.dumps([self.images[reference.replace("sha256:", "")] for reference in argv[3:]])
        if argv[1] == "tag":
            return self._name(self._find(argv[2]), argv[3]) or ""
        if argv[1] == "untag":
            return self.images[self._find(argv[2])]["RepoTags"].remove(argv[3]) or ""
        if argv[1] == "rmi":
            return self.images.pop(argv[2]) and ""
        if argv[1] == "info":
            return json.dumps({"store": {"graphRoot": str(self.root), "volumePath": str(self.root / "volumes")}})
        if command == "volume ls":
            return json.dumps(list(self.volumes.values()))
        if command == "volume create":
            given = [re.match("--(label|opt)=([^=]*)=(.*)", option, re.DOTALL).groups() for option in argv[3:-1]]
            labels = {key: value for kind, key, value in given if kind == "label"}
            options = {key: value for kind, key, value in given if kind == "opt"}
            self.add_volume(argv[-1], labels, {**options, "SIZE": "10G"} if "size=10G" in str(options) else options)
            return argv[-1]
        if argv[1] == "ps":
            wanted = [option.rpartition("=")[2] for option in argv[4:]]
            return "".join(self.running[name] + "\n" for name in wanted if name in self.running)
        raise AssertionError("an unexpected command: {0}".format(argv))


def _source_id(source):
    """Which image a source of skopeo is: by its place in Docker's archive, or by the one manifest of a layout."""
    transport, _colon, place = source.partition(":")
    if transport == "docker-archive":
        path, _colon, number = place.partition(":@")
        with tarfile.open(path) as archive:
            config = json.load(archive.extractfile("manifest.json"))[int(number)]["Config"]
        return "sha256:" + config.partition(".")[0]
    if transport == "dir":
        manifest = json.loads(Path(place, "manifest.json").read_text())
        assert all(Path(place, layer["digest"][7:]).read_bytes() for layer in [manifest["config"], *manifest["layers"]])
        return manifest["config"]["digest"]
    return None


class FakeDocker:
    """A Docker that saves the images it has: the names of the configs say which, as in Docker's own archives."""

    def __init__(self, socket_path, images, layers=10**17):
        self.socket_path = socket_path
        self.api_version = "1.45"
        self.images = images
        self.layers = layers
        self.saved = []
        self.info = {"DriverStatus": [["Backing Filesystem", "extfs"]]}

    def get(self, path, timeout=None, **query):
        if path == "/info":
            return self.info
        assert (path, query) == ("/system/df", {"type": "image"})
        return {"LayersSize": self.layers}

    def download(self, path, names):
        self.saved.append(list(names))
        listed = [{"Config": name.partition(":")[2] + ".json"} for name in reversed(names) if name in self.images]
        document, archive = json.dumps(listed).encode(), io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo("manifest.json")
            member.size = len(document)
            tar.addfile(member, io.BytesIO(document))
        yield archive.getvalue()
