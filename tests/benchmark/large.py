"""A million small files, and a file of 20 GB that is nearly all holes: what a round costs each, and in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from volumes import FOLDER, timed

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees

FILES = 1_000_000
SPARSE = 20 * 10**9
CHANGED = 1_000


def path(tree: Path, number: int) -> Path:
    return tree / f"{number % 1000:03d}" / f"{number}"


def make_files(tree: Path) -> None:
    """A million files of a few bytes."""
    for number in range(1000):
        (tree / f"{number:03d}").mkdir(parents=True)
    for number in range(FILES):
        path(tree, number).write_text(str(number))


def make_holes(tree: Path) -> None:
    """A file like a disk image of which little is used."""
    tree.mkdir()
    with (tree / "disk.img").open("wb") as stream:
        for offset in range(0, SPARSE, SPARSE // 100):
            stream.seek(offset)
            stream.write(os.urandom(1_000_000))
        stream.truncate(SPARSE)


def require_same(trees: Trees, *options: str) -> None:
    """Asks rsync, which compares on its own; contents only with ``--checksum``."""
    argv = ["rsync", "-aHAX", "--numeric-ids", "--dry-run", "--itemize-changes", "--delete", *options]
    done = subprocess.run(
        [*argv, f"{trees.source}/", f"{trees.destination}/"], stdout=subprocess.PIPE, text=True, check=True
    )
    if done.stdout:
        sys.exit(f"the copy differs: {done.stdout[:500]}")


def apart(trees: Trees, round_: Callable[[Trees], object]) -> tuple[float, float]:
    """Seconds of a round in a process of its own, and its largest memory in MB."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        seconds = timed(lambda: round_(trees))
        os.write(writing, str(seconds).encode())
        os._exit(0)
    _pid, status, usage = os.wait4(child, 0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        answer = stream.read()
    if status:
        sys.exit("the round failed")
    return float(answer), usage.ru_maxrss / 1000


def used(tree: str) -> int:
    """Bytes on the disk."""
    return int(subprocess.run(["du", "-s", "-B1", tree], stdout=subprocess.PIPE, check=True).stdout.split()[0])


def trees_in(work: Path, name: str) -> Trees:
    (work / f"{name}-copy").mkdir()
    return Trees(name, str(work / name), str(work / f"{name}-copy"), work / f"{name}.seen")


def measure() -> dict[str, float]:
    """Ratios of seconds; prints what each file costs."""
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=FOLDER))
    try:
        make_holes(work / "holes")
        holes = trees_in(work, "holes")
        first, _memory = apart(holes, rounds.warm)
        second, _memory = apart(holes, rounds.final)
        require_same(holes, "--checksum")
        room = used(holes.destination) / used(holes.source)
        print(
            f"20 GB with 100 MB of data: first round {first:.1f} s, final {second:.1f} s, room {room:.2f} of the source"
        )

        make_files(work / "files")
        files = trees_in(work, "files")
        whole, most = apart(files, rounds.warm)
        for number in range(0, FILES, FILES // CHANGED):
            path(work / "files", number).write_text("changed")
        final, memory = apart(files, rounds.final)
        require_same(files)
    finally:
        shutil.rmtree(work)
    each = 1e6 / FILES
    print(f"a million files: first round {whole:.0f} s ({whole * each:.0f} µs each, {most:.0f} MB of memory),")
    print(f"final round with {CHANGED} changed {final:.0f} s ({final * each:.0f} µs each, {memory:.0f} MB)")
    return {"million_files_final_vs_first": round(final / whole, 3), "sparse_room_vs_source": round(room, 2)}
