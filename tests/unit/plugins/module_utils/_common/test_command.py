# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that waits in the kernel is woken."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import watch

WAITS = """
import signal, sys, time
print(1, flush=True)
signal.signal(signal.SIGCHLD, lambda *_given: sys.exit(7))
time.sleep({0})
"""


@pytest.mark.parametrize(("nudge", "seconds", "rc"), [(0.05, 60, 7), (0, 0.2, 0), (60, 0.2, 0)])
def test_a_nudge_ends_what_it_waits_for(nudge, seconds, rc):
    seen = []
    assert watch([sys.executable, "-c", WAITS.format(seconds)], seen.append, nudge).rc == rc
    assert seen == ["1"]


def test_who_has_no_handler_goes_on():
    assert watch(["sleep", "0.3"], print, 0.05).rc == 0
