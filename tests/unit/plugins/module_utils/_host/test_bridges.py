# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the host is attached to a bridge."""

from __future__ import annotations

import json

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host import bridges


def slave(name, master, kind=None):
    return {"ifname": name, "master": master, "linkinfo": {"info_slave_kind": "bridge", "info_kind": kind}}


def test_links_of_containers_do_not_count():
    """The form of ip -json -details link show, iproute2 6.15; empty objects are what it filtered out."""
    links = [
        {},
        {"ifname": "lo"},
        {"ifname": "br-lan", "linkinfo": {"info_kind": "bridge"}},
        slave("eth0", "br-lan"),
        slave("tap3", "br-lan", "tun"),
        slave("veth12", "br-lan", "veth"),
        slave("veth34", "docker0", "veth"),
        {"ifname": "eth1", "master": "bond0", "linkinfo": {"info_slave_kind": "bond"}},
    ]
    assert bridges.attached(json.dumps(links)) == {"br-lan": ["eth0", "tap3"]}
    assert bridges.attached("") == {}
