"""The applications of a machine: their images in Docker, their projects in /srv."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from . import cache, image, ssh


def layers(names: Iterable[str]) -> dict[str, Path]:
    """The layers with their images, built when absent."""
    return {name: image.application(name) for name in names}


def projects(names: Iterable[str]) -> list[Path]:
    """Their folders of the checkout, which go to /srv/NAME."""
    return [image.LAB / "apps" / name / "project" for name in names]


def install(port: int, folders: dict[str, Path]) -> None:
    """Import the images from their layers, and start the applications as somebody would by hand."""
    for name, folder in folders.items():
        _import_images(port, name, folder)
        _send(port, name)
        start(port, name)


def start(port: int, name: str) -> None:
    """Until it answers; nothing is started twice."""
    cache.say(f"starting {name}")
    ssh.run(port, f"/srv/{name}/start")


def _import_images(port: int, application: str, folder: Path) -> None:
    for name, one in image.images(application).items():
        cache.say(f"importing {name}")
        changes = [word for change in one["changes"] for word in ("--change", change)]
        command = shlex.join(["docker", "import", *changes, "-", name])
        with (folder / f"{one['folder']}.tar").open("rb") as tar:
            ssh.run(port, command, stdin=tar)


def _send(port: int, name: str) -> None:
    [project] = projects([name])
    argv = ["tar", "-C", str(project), "--owner=root:0", "--group=root:0", "-c", "."]
    with tempfile.TemporaryFile() as packed:
        subprocess.run(argv, stdout=packed, check=True)
        packed.seek(0)
        ssh.run(port, f"mkdir /srv/{name} && tar -C /srv/{name} -x", packed)
