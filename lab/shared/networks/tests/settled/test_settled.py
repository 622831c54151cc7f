# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a second run of the playbook."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks


def test_no_container_was_restarted_since_its_commit(host):
    checks.assert_not_restarted(host, sorted(checks.running(host, "podman")), commits=5)


def test_what_the_user_had_in_docker_user_stands_in_forward(host):
    with pytest.raises(OSError, match="timed out"):
        checks.fetch(host, 8084, "/cgi-bin/ask", timeout=10)
