# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders whose content survives a power cut (private to the collection)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .errors import named


def write_file(path: str | Path, text: str, mode: int = 0o600) -> None:
    """Replace a file atomically and durably; a folder that is missing is made root-only."""
    target = Path(path)
    make_folder(target.parent)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=str(target.parent))
    try:
        with named(target), os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, str(target))
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(target.parent)


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
