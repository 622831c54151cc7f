# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a user can mend, and the sentence of each (private to the collection)."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import Iterator

_REMEDIES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "raise its quota",
    errno.EROFS: "make its file system writable",
    errno.EIO: "see the kernel's log (dmesg) about its disk",
}


class UserError(Exception):
    """Something that the user can mend. The message says in one sentence what is wrong, where, and what to do.

    Any other error, but for OSError, is a defect, and its traceback is in the service's log.
    """


@contextmanager
def named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Have errors in here say which file they are about: those of writing, such as a full disk, name none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def sentence(error: OSError) -> str:
    """Which file or folder, why, and what to do."""
    is_named = isinstance(error.filename, (str, bytes))
    what = os.fsencode(error.filename).decode(errors="backslashreplace") if is_named else "Something on this host"
    remedy = _REMEDIES.get(error.errno or 0, "repair that")
    return "{0} cannot be used: {1}; {2} and run this again.".format(what, error.strerror or error, remedy)


def message_of(error: Exception) -> str:
    """The sentence of a UserError, or of an OSError."""
    return sentence(error) if isinstance(error, OSError) else str(error)
