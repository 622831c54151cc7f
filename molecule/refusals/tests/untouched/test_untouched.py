# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After every refusal: Docker runs what it ran, and nothing was installed."""

from __future__ import annotations


def test_the_container_was_not_touched(host):
    view = host.check_output(
        "docker inspect gadget --format '{{.State.Running}} {{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}'"
    )
    assert view == "true 0 no"


def test_nothing_was_installed(host):
    assert not host.exists("podman")
    assert not host.file("/etc/containers/registries.conf.d/50-docker-to-podman.conf").exists
