# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this user may mount; what tests do where it may not."""

from __future__ import annotations

import os
import subprocess

import pytest


def _may_mount():
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return os.geteuid() == 0 and tried.returncode == 0


MAY_MOUNT = _may_mount()
needs_mounts = pytest.mark.skipif(not MAY_MOUNT, reason="mounting is not allowed here")


class Here:
    """Runs work without a namespace."""

    @staticmethod
    def run(work, *given, **named):
        return work(*given, **named)

    @staticmethod
    def outside(call):
        return call
