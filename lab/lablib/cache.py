"""The folder outside the checkout that holds what the lab built and runs.

A layer is a folder named KIND-NAME-KEY, where the key is a hash of everything
it was made from. It appears in one rename, so what exists is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

UNUSED_AFTER = 24 * 3600.0


class LabError(Exception):
    """A sentence for the user: what went wrong and what to do."""


def say(message: str) -> None:
    """Progress goes to stderr; stdout holds results."""
    print(f"lab: {message}", file=sys.stderr, flush=True)


def root() -> Path:
    """The cache folder, created when absent."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "podshift-lab"
    path = Path(os.environ.get("PODSHIFT_LAB_CACHE") or default).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def key(inputs: dict[str, Any], files: list[Path]) -> str:
    """Hash of values and of files (names, modes, contents; folders recursively)."""
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    for top in files:
        for path in sorted([top, *top.rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(top.parent)
                executable = bool(path.stat().st_mode & 0o100)
                digest.update(f"\0{name}\0{executable}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """One process at a time; the kernel releases it when the process ends."""
    with (root() / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process works on {name}, waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def layer(kind: str, name: str, layer_key: str, build: Callable[[Path], None]) -> Path:
    """The finished layer; built when absent."""
    path = root() / f"{kind}-{name}-{layer_key}"
    if not path.is_dir():
        with lock(f"{kind}-{name}"):
            if not path.is_dir():
                say(f"building {path.name}")
                work = Path(tempfile.mkdtemp(prefix=".building-", dir=root()))
                try:
                    build(work)
                    work.chmod(0o755)
                    work.rename(path)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
        _remove_unused()
    os.utime(path)
    return path


def _remove_unused() -> None:
    """Remove layers that neither runs nor was asked for lately.

    A day's grace, because another checkout may be about to use its own.
    """
    used = {
        used_layer
        for record in root().glob("instances/*/instance.json")
        for used_layer in json.loads(record.read_text())["layers"]
    }
    for path in [*root().glob("*-" + "[0-9a-f]" * 16), *root().glob(".building-*")]:
        if path.name not in used and path.stat().st_mtime < time.time() - UNUSED_AFTER:
            say(f"removing {path.name}")
            shutil.rmtree(path, ignore_errors=True)
