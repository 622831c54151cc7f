# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills a folder with pairs of names and exchanges the two of each for ever.

usage: hostile.py FOLDER
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys

AT_FDCWD, RENAME_EXCHANGE = -100, 2
EACH, PIPES = 20, 2
"""How many pairs there are of each kind; rsync waits a second for each pipe that it comes upon."""


def folder(name: str) -> None:
    """A folder with a file that has the name of the host's secret."""
    os.mkdir(name)
    file(name + "/key")


def file(name: str) -> None:
    """A file as long and as old as the host's secret."""
    with open(name, "w") as stream:
        stream.write("decoy\n" * 250)
    os.utime(name, (978307200, 978307200))


def link_to_folder(name: str) -> None:
    """Where the secret is."""
    os.symlink("/root/secret", name)


def link_to_file(name: str) -> None:
    """The secret itself."""
    os.symlink("/root/secret/key", name)


def device(name: str) -> None:
    """Full of zeros for whoever opens it."""
    os.mknod(name, 0o666 | stat.S_IFCHR, os.makedev(1, 5))


def pipe(name: str) -> None:
    """Nobody writes to it."""
    os.mkfifo(name)


PAIRS = (
    (folder, link_to_folder), (file, link_to_file), (file, device), (folder, file), (file, pipe),
)  # fmt: skip


def main() -> None:
    """Fill the folder, and go on until killed."""
    os.chdir(sys.argv[1])
    names = []
    for one, other in PAIRS:
        for number in range(PIPES if other is pipe else EACH):
            name = "{0}-{1}-{2}".format(one.__name__, other.__name__, number)
            one(name + ".a")
            other(name + ".b")
            names.append(name.encode())
    exchange = ctypes.CDLL(None).renameat2
    while True:
        for name in names:
            exchange(AT_FDCWD, name + b".a", AT_FDCWD, name + b".b", RENAME_EXCHANGE)


if __name__ == "__main__":
    main()
