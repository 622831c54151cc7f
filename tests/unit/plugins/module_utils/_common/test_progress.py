# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work shows that it lives."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import progress as _progress
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.progress import Progress


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (0, 10**9, 0.0, "images: 0 B of 1.0 GB, 0 B/s, just begun"),
        (250 * 10**6, 10**9, 5.0, "images: 250 MB of 1.0 GB, 50.0 MB/s, 0:15 left"),
        (10**9, 10**13, 1.0, "images: 1.0 GB of 10.0 TB, 1.0 GB/s, 2:46:39 left"),
        (1500, 1500, 1.0, "images: 1.5 kB of 1.5 kB, 1.5 kB/s, 0:00 left"),
        (1500, 0, 1.0, "images: 1.5 kB, 1.5 kB/s"),
        (0, 0, 0.0, "images: 0 B, 0 B/s"),
    ],
)
def test_a_line_for_a_person(done, total, seconds, said):
    assert _progress.line({"what": "images", "done": done, "total": total, "seconds": seconds}) == said


def test_it_is_shown_at_most_once_a_second_and_never_over_the_whole(monkeypatch):
    shown, now = [], [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    count = Progress(shown.append).begin("images", 4)
    count(0)
    for _step in range(8):
        now[0] += 0.25
        count(1)
    assert [picture["done"] for picture in shown] == [0, 4, 8]
    assert [picture["total"] for picture in shown] == [4, 4, 8]
    assert [picture["seconds"] for picture in shown] == [0.0, 1.0, 2.0]


def test_what_moves_is_what_is_shown_and_its_time_runs_from_when_it_began(monkeypatch):
    shown, now = [], [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    progress = Progress(shown.append)
    copied, compared = progress.begin("copied"), progress.begin("compared", 9)
    copied(5)
    now[0] += 100
    compared(0)
    now[0] += 2
    compared(4)
    assert [_progress.line(picture) for picture in shown] == [
        "copied: 5 B, 0 B/s",
        "compared: 0 B of 9 B, 0 B/s, just begun",
        "compared: 4 B of 9 B, 2 B/s, 0:02 left",
    ]
