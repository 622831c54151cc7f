# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the host that were written for Docker's bridges, or that only Docker's rules come before."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import host_rules, iptables

DOCKERS = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:ufw-before-forward - [0:0]
:ufw-user-forward - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -m comment --comment "docker_to_podman:blog" -i pm-1 ! -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -i docker0 -j RETURN
-A ufw-before-forward -o br-0123456789ab -j DROP
{0}
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""


@pytest.mark.parametrize(
    ("rule", "is_found"),
    [
        ("-A INPUT -i docker0 -p tcp -m tcp --dport 5432 -j ACCEPT", True),
        ("-A INPUT -i br-+ -j ACCEPT", True),
        ("-A FORWARD -i eth1 -o br-0123456789ab -j DROP", True),
        ("-A ufw-user-forward -i eth1 -o docker0 -j DROP", True),
        ("-A INPUT -i shop0 -j ACCEPT", True),
        ("-A ufw6-user-forward -o docker0 -j DROP", True),
        ("-A ufw6-before-forward -i pm-+ -o docker0 -m comment --comment docker_to_podman-ufw -j RETURN", False),
        ("-A INPUT -i br-lan -j ACCEPT", False),
        ("-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", False),
    ],
)
def test_rules_of_iptables_that_name_dockers_bridges(rule, is_found):
    found = host_rules.of_iptables(iptables.parse(DOCKERS.format(rule)), ["docker0", "shop0"])
    assert found == ([rule] if is_found else [])


RULESET = """\
# Warning: table ip filter is managed by iptables-nft, do not touch!
table ip filter {
    chain FORWARD {
        type filter hook forward priority filter; policy drop;
        iifname "docker0" counter packets 0 bytes 0 accept
    }
}
table inet firewalld {
    chain filter_FORWARD {
        iifname "docker0" accept
    }
}
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        tcp dport 22 accept
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
        iifname { "docker0", "br-*" } accept
        iifname "br-lan" accept
    }
}
""".replace("    ", "\t")


def test_rules_of_nftables_but_for_those_of_programs_that_know_podman():
    assert host_rules.of_nftables(RULESET, ["docker0"]) == [
        "nft inet filter: type filter hook input priority filter; policy drop;",
        'nft inet filter: iifname { "docker0", "br-*" } accept',
    ]
    assert host_rules.of_nftables("", ["docker0"]) == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        (DOCKERS, True),
        ("*filter\n:FORWARD DROP [0:0]\nCOMMIT\n", True),
        ("*filter\n:FORWARD ACCEPT [0:0]\n:DOCKER-USER - [0:0]\nCOMMIT\n", True),
        ("table ip filter {\n\tchain DOCKER {\n\t}\n}\n", True),
        ("*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n", False),
        ("table inet filter {\n\tchain input {\n\t}\n}\n", False),
    ],
)
def test_saved_rules_that_come_back_at_a_boot_without_docker(tmp_path, text, is_found):
    path = tmp_path / "rules.v4"
    path.write_text(text)
    assert host_rules.saved([str(path), "/nowhere"]) == ([str(path)] if is_found else [])
