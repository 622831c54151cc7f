# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the services that help share: an engine's state, and a host in memory that is its Docker, too."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import persistence
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_host import Host, engine_state


@pytest.fixture
def engine(tmp_path):
    return engine_state(tmp_path)


@pytest.fixture
def host(monkeypatch, tmp_path):
    host = Host()
    host.install(monkeypatch, tmp_path / "quadlets")
    monkeypatch.setattr(persistence, "Docker", lambda _socket: host)
    return host
