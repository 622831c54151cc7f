# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After Docker was removed, with a variable that names the host."""

from __future__ import annotations


def test_docker_is_gone(host):
    assert not host.exists("dockerd")
    assert not host.exists("docker")
    assert not host.package("docker.io").is_installed


def test_its_data_is_gone_because_a_variable_named_the_host(host):
    assert not host.file("/var/lib/docker").exists


def test_no_leftover_masks_a_unit(host):
    assert host.run("systemctl is-enabled docker.service").stdout.strip() in ("", "not-found")
