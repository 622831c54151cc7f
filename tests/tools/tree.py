"""The files of the working tree: what git tracks, and what it would if it were told to."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from steps import ROOT


def files() -> list[str]:
    """Paths relative to the root, sorted; ignored and deleted files are left out."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(path for path in set(listing.split("\0")) if path and (ROOT / path).is_file())


def copy_to(target: Path) -> None:
    """Copy the working tree into a new folder."""
    for path in files():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target / path)


def digest(paths: Iterable[str]) -> str:
    """A hash of names and contents, without prose: what a scenario's result depends on."""
    total = hashlib.sha256()
    for path in paths:
        if not path.endswith((".md", ".rst")) and not path.startswith(("docs/", "changelogs/")):
            total.update(path.encode() + b"\0" + hashlib.sha256((ROOT / path).read_bytes()).digest())
    return total.hexdigest()
