# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service whose program has gone is named before it is needed."""

from __future__ import annotations

import sys

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import helpers

UNIT = "[Service]\nExecStart={0} /var/lib/docker_to_podman/program.pyz recover /var/lib/docker_to_podman\n"


@pytest.mark.parametrize(
    ("name", "program", "found"),
    [
        (
            "docker_to_podman-recover.service",
            "/usr/bin/python3.4",
            ["docker_to_podman-recover.service (/usr/bin/python3.4)"],
        ),
        ("docker_to_podman-coexist.service", "-/gone", ["docker_to_podman-coexist.service (/gone)"]),
        ("docker_to_podman-recover.service", sys.executable, []),
        ("other.service", "/gone", []),
    ],
)
def test_a_program_that_has_gone_is_named(tmp_path, monkeypatch, name, program, found):
    monkeypatch.setattr(helpers, "UNIT_DIR", str(tmp_path))
    (tmp_path / name).write_text(UNIT.format(program))
    assert helpers.broken() == found
