# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders whose content survives a power cut (private to the collection)."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from .errors import named


def write_file(path: str | Path, text: str, mode: int = 0o600) -> None:
    """Replace a file atomically and durably; a folder that is missing is made root-only.

    What a writer that was killed has left beside the file is replaced with it: its name says which file it was to be.
    """
    target = Path(path)
    make_folder(target.parent)
    part = _part(target)
    with named(target), open(_alone(part), "w", encoding="utf-8", newline="") as stream:
        try:
            os.ftruncate(stream.fileno(), 0)
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
            os.replace(str(part), str(target))
        except BaseException:
            part.unlink()
            raise
    sync_folder(target.parent)


def remove_file(path: Path) -> None:
    """Remove a file that may be there, and what a writer that was killed has left beside it; ``sync_folder`` makes it durable."""
    for each in (path, _part(path)):
        with suppress(FileNotFoundError):
            each.unlink()


def _part(target: Path) -> Path:
    return target.with_name(".{0}.new".format(target.name))


def _alone(part: Path) -> int:
    """A handle of the file, which no other writer has until it is closed."""
    while True:
        handle = os.open(str(part), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        # The writer before may have put the file into its place meanwhile.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.lstat(str(part))):
                return handle
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, root-only, and make their names durable; leave existing ones as they are."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with named(folder):
            os.fsync(handle)
    finally:
        os.close(handle)


def text_of(path: Path) -> str:
    """The text of a file of the host; "" when it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
