"""Runs on the machine: every case on an empty Docker, then what the API says about it.

stdin:  {images: {name: [Dockerfile line]}, cases: {name: {commands: [[word]], files: {name: text}}}, daemon_json: {}}
stdout: {engine: {id, version, info, config}, images: [inspect], cases: {name: {commands, containers, images, networks,
         volumes, warnings}}, failed: {name: why}}, the documents unchanged
stderr: progress
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]

SOCKET = "/run/docker.sock"
TAR = Path("/srv/image.tar")
BUILT_IN = ("bridge", "host", "none")
PLACES = ("app", "data", "etc", "root", "run", "srv", "tmp", "usr/local/bin", "var")
FILES = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "etc/group": "nogroup:x:65534:\n",
}


class Failed(Exception):
    """A command of a case failed."""


class Api:
    """The API in the newest version that this engine speaks."""

    def __init__(self) -> None:
        self._prefix = ""
        self.version = self.call("GET", "/version")
        self._prefix = "/v" + self.version["ApiVersion"]

    def call(self, method: str, path: str) -> Any:
        """The JSON of the answer; None when there is none."""
        connection = http.client.HTTPConnection("docker")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(SOCKET)
        connection.request(method, self._prefix + path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status >= 300 and not (method == "DELETE" and answer.status in (403, 404, 409)):
            raise Failed(f"{method} {path}: {answer.status} {body.decode(errors='replace')}")
        return json.loads(body) if body.strip() else None

    def inspect(self, kind: str, name: str) -> Json:
        paths = {"containers": "/containers/{}/json?size=1", "images": "/images/{}/json"}
        document: Json = self.call("GET", paths.get(kind, f"/{kind}/{{}}").format(quote(name, safe="")))
        return document

    def names(self) -> dict[str, list[str]]:
        """All that Docker holds but for its own networks: by ID, volumes by name."""
        return {
            "containers": [item["Id"] for item in self.call("GET", "/containers/json?all=1")],
            "networks": [item["Id"] for item in self.call("GET", "/networks") if item["Name"] not in BUILT_IN],
            "volumes": [item["Name"] for item in self.call("GET", "/volumes")["Volumes"] or []],
            "images": [item["Id"] for item in self.call("GET", "/images/json")],
        }

    def clear(self, images: list[str]) -> None:
        """Remove everything but these images."""
        # Several times, because removing in the wrong order is refused.
        for _time in range(3):
            held = [(kind, name) for kind, names in self.names().items() for name in names if name not in images]
            for kind, name in held:
                query = {"containers": "?force=1&v=1", "networks": ""}.get(kind, "?force=1")
                self.call("DELETE", f"/{kind}/{quote(name, safe='')}{query}")
            if not held:
                return
        raise Failed(f"Docker does not let go of {held}")


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def run(argv: list[str], folder: Path) -> str:
    """Run a command in a folder; what it says on stderr."""
    done = subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise Failed(f"{argv}: {done.returncode}: {done.stderr.strip()}")
    return done.stderr


def make_tar() -> None:
    """Busybox with all its names: the whole content of every image."""
    root = Path("/srv/image")
    shutil.rmtree(root, ignore_errors=True)
    for place in ("bin", *PLACES):
        (root / place).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    listed = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in set(listed) - {"busybox"}:
        (root / "bin" / name).symlink_to("busybox")
    for name, text in FILES.items():
        (root / name).write_text(text)
    with tarfile.open(TAR, "w") as tar:
        tar.add(root, arcname=".")


def build_images(api: Api, images: dict[str, list[str]]) -> list[str]:
    """Make the images from their Dockerfiles; their IDs."""
    run(["docker", "import", str(TAR), "base:1"], TAR.parent)
    for name, lines in images.items():
        folder = Path("/srv/build") / quote(name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Dockerfile").write_text("\n".join(["FROM base:1", *lines]))
        # The old builder: it is everywhere, and needs no network for FROM.
        run(["env", "DOCKER_BUILDKIT=0", "docker", "build", "--tag", name, "."], folder)
    return [str(api.inspect("images", name)["Id"]) for name in ("base:1", *images)]


def configure(daemon_json: Json) -> None:
    """Give dockerd its settings."""
    Path("/etc/docker").mkdir(exist_ok=True)
    Path("/etc/docker/daemon.json").write_text(json.dumps(daemon_json))
    run(["systemctl", "restart", "docker"], Path("/"))


def engine(api: Api, daemon_json: Json) -> Json:
    """The inventory's part about the engine."""
    info = api.call("GET", "/info")
    command = Path(f"/proc/{Path('/run/docker.pid').read_text().strip()}/cmdline").read_text()
    flags = command.rstrip("\0").split("\0")[1:]
    config = {"socket": SOCKET, "flags": flags, "daemon_json": daemon_json, "environment": {}}
    return {"id": info["ID"], "version": api.version, "info": info, "config": config}


def prepared(api: Api, name: str, case: Json) -> Path:
    """The folder of a case with its files."""
    folder = Path("/srv") / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file, text in case.get("files", {}).items():
        (folder / file).write_text(text)
    return folder


def words(api: Api, command: list[str]) -> list[str]:
    """A command with what is only known here filled in."""

    def filled(word: str) -> str:
        if word.startswith("id-of="):
            return str(api.inspect("images", word.partition("=")[2])["Id"])
        return str(TAR) if word == "image.tar" else word

    return [filled(word) for word in command]


def documents(api: Api, shared_images: list[str]) -> Json:
    """What the API says about all that there is; of Docker's own networks those that are used."""
    names = api.names()
    containers = [api.inspect("containers", name) for name in names["containers"]]
    used = {name for item in containers for name in item["NetworkSettings"]["Networks"] or {}}
    networks = [api.inspect("networks", name) for name in [*names["networks"], *sorted(used & set(BUILT_IN))]]
    return {
        "containers": sorted(containers, key=lambda item: str(item["Name"])),
        "networks": sorted(networks, key=lambda item: str(item["Name"])),
        "volumes": [api.inspect("volumes", name) for name in sorted(names["volumes"])],
        "images": [api.inspect("images", name) for name in sorted(set(names["images"]) - set(shared_images))],
    }


def record(api: Api, name: str, case: Json, shared_images: list[str]) -> Json:
    """Run one case and read it."""
    folder = prepared(api, name, case)
    try:
        said = [run(words(api, command), folder) for command in case["commands"]]
        # Compose tells its progress there.
        warnings = [line for text in said for line in text.splitlines() if "WARNING" in line]
        return {"commands": case["commands"], "warnings": warnings, **documents(api, shared_images)}
    finally:
        api.clear(shared_images)


def main() -> None:
    given = json.load(sys.stdin)
    Api().clear([])
    configure(given["daemon_json"])
    api = Api()
    make_tar()
    images = build_images(api, given["images"])
    recorded, failed = {}, {}
    for number, (name, case) in enumerate(given["cases"].items(), 1):
        begin = time.monotonic()
        try:
            recorded[name] = record(api, name, case, images)
        except (Failed, subprocess.TimeoutExpired) as error:
            failed[name] = str(error)
            say(f"FAILED {name}: {error}")
        say(f"{number}/{len(given['cases'])} {name} {time.monotonic() - begin:.1f} s")
    result = {
        "engine": engine(api, given["daemon_json"]),
        "images": [api.inspect("images", name) for name in sorted(given["images"])],
        "cases": recorded,
        "failed": failed,
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    os.umask(0o022)
    main()
