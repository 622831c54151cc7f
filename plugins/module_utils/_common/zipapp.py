# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection's module_utils as one file that Python runs on the target (private to the collection)."""

from __future__ import annotations

import zipfile
import zipimport
from pathlib import Path
from typing import Iterator

_PACKAGE = "ansible_collections/podshift/docker_to_podman/plugins/module_utils/"
_MAIN = "from {0}_job.entry_point import main\nmain()\n".format(_PACKAGE.replace("/", "."))


def write(target: Path) -> None:
    """Write the program, root-only. It holds what the running module brought along: Ansible sends a module with all
    that it imports, as an archive."""
    with zipfile.ZipFile(str(target), "w", zipfile.ZIP_DEFLATED) as program:
        parts = _PACKAGE.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            program.writestr("/".join([*parts[:depth], "__init__.py"]), "")
        for name, source in _sources():
            if name != "__init__.py":
                program.writestr(_PACKAGE + name, source)
        program.writestr("__main__.py", _MAIN)
    target.chmod(0o600)


def _sources() -> Iterator[tuple[str, bytes]]:
    """Names below the package, and the sources of its modules."""
    loader = __spec__.loader
    if isinstance(loader, zipimport.zipimporter):
        with zipfile.ZipFile(loader.archive) as archive:
            for name in archive.namelist():
                if name.startswith(_PACKAGE) and name.endswith(".py"):
                    yield name[len(_PACKAGE) :], archive.read(name)
        return
    folder = Path(__file__).parent.parent
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(folder).as_posix(), path.read_bytes()
