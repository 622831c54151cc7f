"""Runs on the machine, as root: makes the images, brings them in every way, and prints the seconds of each.

usage: images_on_machine.py FOLDER, which holds program.pyz
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

BASE, OWN = 150_000_000, 15_000_000
"""Bytes that do not compress: of the base, and of each image on top of another."""
PARENTS = {
    "lab/base:1": "",
    "lab/a:1": "lab/base:1",
    "lab/b:1": "lab/a:1",
    "lab/c:1": "lab/a:1",
    "lab/d:1": "lab/base:1",
}
PARENTS["lab/e:1"] = "lab/d:1"


def run(command: str) -> str:
    """A command of this file, in a shell; its output. What it says on stderr is seen only when it fails."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{command}: {done.returncode}: {done.stderr}")
    return done.stdout


def make(folder: Path) -> None:
    """The images, with the old builder: it needs no network."""
    run("docker compose --project-directory /srv/blog down; docker rm --force cache; docker system prune --all --force")
    run("apt-get update && apt-get install --yes --no-install-recommends podman skopeo netavark catatonit")
    for name, parent in PARENTS.items():
        work = folder / "context"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        (work / "own").write_bytes(os.urandom(OWN if parent else BASE))
        dockerfile = f'FROM {parent or "scratch"}\nCOPY own /{name.replace("/", "-")}\nCMD ["x"]\n'
        (work / "Dockerfile").write_text(dockerfile)
        run(f"DOCKER_BUILDKIT=0 docker build --tag {name} {work}")


def plan(folder: Path) -> None:
    """What the program needs of a plan."""
    info = json.loads(run("docker info --format '{{json .}}'"))
    images = []
    for name in PARENTS:
        found = json.loads(run(f"docker image inspect {name}"))[0]
        layers = found["RootFS"]["Layers"]
        entry = {"source_id": found["Id"], "names": ["docker.io/" + name], "config_digest": found["Id"]}
        images.append({**entry, "diff_ids": layers, "size": found["Size"], "digests": []})
    workload = {"name": "bench", "containers": [], "volumes": [], "images": images}
    engine = {"id": "bench", "data_root": info["DockerRootDir"]}
    (folder / "plan.json").write_text(json.dumps({"format": 1, "engine": engine, "workloads": [workload]}))
    given = {"plan_path": f"{folder}/plan.json", "state_dir": str(folder), "socket": "/run/docker.sock"}
    arguments = {**given, "tmpdir": "/var/tmp", "source": "docker"}
    (folder / "task.json").write_text(json.dumps({"work": "images", "arguments": arguments, "environment": {}}))


def ours(folder: Path) -> None:
    run(f"{sys.executable} {folder}/program.pyz {folder}")
    answer = json.loads((folder / "result.json").read_text())
    if [image["action"] for image in answer["result"]["images"]] != ["copied"] * len(PARENTS):
        sys.exit(f"ours: {answer}")


def timed(work: Callable[[], object]) -> float:
    """Seconds into an empty storage, until it is on the disk."""
    run("podman rmi --all --force")
    os.sync()
    start = time.monotonic()
    work()
    os.sync()
    taken = time.monotonic() - start
    found = len(set(run("podman images --quiet --no-trunc").split()))
    if found != len(PARENTS):
        sys.exit(f"{found} images arrived")
    return taken


def one_by_one(command: str) -> Callable[[], object]:
    return lambda: [run(command.format(name=name)) for name in PARENTS]


def main() -> None:
    """Every way once, ours in the middle."""
    folder = Path(sys.argv[1])
    make(folder)
    plan(folder)
    ways: dict[str, Callable[[], object]] = {
        "docker save | podman load": one_by_one("docker save {name} | podman load"),
        "skopeo copy docker-daemon:": one_by_one(
            "skopeo copy docker-daemon:{name} containers-storage:docker.io/{name}"
        ),
        "ours": lambda: ours(folder),
        "podman pull docker-daemon:": one_by_one("podman pull docker-daemon:{name}"),
    }
    print(json.dumps({way: timed(work) for way, work in ways.items()}))


main()
