# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a journal says of volumes is read whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes.rounds import Trees
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import move_record

VOLUME = {"name": "v", "source": "/docker/v", "destination": "/podman/v", "memory": "/state/v.seen"}


@pytest.mark.parametrize("more", [{}, {"layers": []}, {"layers": [], "opened": ""}, {"later": 1}])
def test_a_record_of_another_program_is_read(more):
    assert move_record.trees({"volumes": [{**VOLUME, **more}]}) == [
        Trees("v", "/docker/v", "/podman/v", Path("/state/v.seen"))
    ]
