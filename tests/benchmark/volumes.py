"""How long a volume takes: the first round while Docker serves, and the final one after 1 % has changed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import rounds
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees

FILES = 50_000
SMALL, LARGE = 20_000, 100_000_000
"""Bytes of most files, and of ten of them: 2 GB together."""
CHANGED = FILES // 100
FOLDER = "/var/tmp"
"""On a disk; /tmp may be memory."""


def make(tree: Path) -> None:
    """A volume like that of an application with many files and a database."""
    dice = random.Random(1)
    noise = dice.randbytes(LARGE + SMALL)
    for number in range(FILES):
        folder = tree / f"{number % 250:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        start, size = dice.randrange(SMALL), LARGE if number % (FILES // 10) == 0 else SMALL
        (folder / f"{number}.data").write_bytes(noise[start : start + size])


def change(tree: Path, turn: int) -> None:
    """One file of a hundred is written anew."""
    for number in range(turn + 1, FILES, FILES // CHANGED):
        (tree / f"{number % 250:03d}" / f"{number}.data").write_bytes(os.urandom(SMALL))


def forget() -> None:
    """Have nothing in memory."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def timed(work: Callable[[], object], before: Callable[[], None] = forget) -> float:
    """Seconds until the work has reached the disk."""
    before()
    start = time.monotonic()
    work()
    os.sync()
    return time.monotonic() - start


def shell(command: str, folder: Path) -> Callable[[], object]:
    return lambda: subprocess.run(command, cwd=folder, shell=True, check=True)


def final_round(trees: Trees, source: Path, turn: int, before: Callable[[], None]) -> float:
    """Seconds of a final round after 1 % has changed since a warm one."""
    change(source, turn)
    rounds.warm(trees)
    change(source, turn + 10)
    return timed(lambda: rounds.final(trees), before)


def measure() -> dict[str, float]:
    """Ratios of seconds; what is compared takes turns in one run."""
    work = Path(tempfile.mkdtemp(prefix="bench-", dir=FOLDER))
    try:
        make(work / "source")
        (work / "ours").mkdir()
        (work / "tarred").mkdir()
        trees = Trees("bench", str(work / "source"), str(work / "ours"), work / "ours.seen")
        first = timed(lambda: rounds.warm(trees))
        cp = timed(shell("cp -a source copied", work))
        tar = timed(shell("tar -C source -c . | tar -C tarred -xp", work))
        # In a cutover the final round follows a warm one at once; a host with little memory has forgotten all of it.
        final = {
            before: [final_round(trees, work / "source", turn, before) for turn in turns]
            for before, turns in ((os.sync, (0, 1)), (forget, (2, 3)))
        }
    finally:
        shutil.rmtree(work)
    print(f"volume of 2 GB in {FILES} files: first round {first:.1f} s, cp -a {cp:.1f} s, tar | tar {tar:.1f} s")
    behind, cold = min(final[os.sync]), min(final[forget])
    print(f"final round with 1 % changed: {behind:.2f} s right behind a warm one, {cold:.2f} s with nothing in memory")
    return {"volume_first_vs_cp": round(first / cp, 2), "volume_final_vs_first": round(behind / first, 3)}
