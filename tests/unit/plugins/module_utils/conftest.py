# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees have the same paths in a mount namespace and outside: who may not mount tests all but that."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees import mount_namespace
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.mounting import MAY_MOUNT


@pytest.fixture(autouse=not MAY_MOUNT)
def nowhere_else(monkeypatch):
    monkeypatch.setattr(mount_namespace, "_enter", lambda *_given: None)
