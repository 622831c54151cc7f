# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is moved: the workloads of two machines, how they are started in Docker, and what has to be so on either engine."""

from __future__ import annotations

from typing import Any, NamedTuple

PORT = 6390


class Workload(NamedTuple):
    """``containers`` with their restart policies, the IPv4 ``subnet`` of its network, and what Podman has when it has the
    workload: its ``units``, which of them start at a boot, and how many secrets."""

    containers: dict[str, str]
    network: str
    subnet: str
    pod: str
    units: tuple[str, ...]
    awake: tuple[str, ...]
    secrets: int


class Host(NamedTuple):
    """A machine: its workloads, the shell script that deploys them, the policy of the assessment, how many workloads move at
    once, and what its ``echo`` says: what the containers answer on their own behalf."""

    workloads: dict[str, Workload]
    deploy: str
    policy: dict[str, Any]
    parallel: int
    echo: str
    answers: list[str]


_SHOP = Workload(
    {"aside": "unless-stopped", "ledger": "always"},
    "shop",
    "172.30.0.",
    "shop-infra",
    (
        "aside-data.volume",
        "aside.container",
        "aside.dockerenv",
        "ledger.container",
        # The user of the ledger is not root.
        "ledger.containers.conf",
        "ledger.dockerenv",
        "ledger.volume",
        "shop.network",
        "shop.pod",
    ),
    ("shop.pod",),
    1,
)
_DEPLOY_SHOP = """
docker compose --project-directory /srv/blog down --volumes
docker rm --force --volumes cache
# The same image without the port that it exposes: two members of a pod cannot have the same.
docker export "$(docker create lab/redis:1)" | docker import - lab/aside:1
mkdir -p /srv/shop
cat > /srv/shop/compose.yaml <<'F'
services:
  ledger:
    container_name: ledger
    image: lab/redis:1
    restart: always
    ports: ["6390:6379"]
    volumes: ["ledger:/data"]
    environment: {LEDGER_PASSWORD: correct-horse}
    command: redis-server --bind '*' --protected-mode no --appendonly yes --appendfsync always
  aside:
    container_name: aside
    image: lab/aside:1
    restart: unless-stopped
    volumes: ["/data"]
    command: redis-server --port 7000 --save ''
volumes: {ledger: {name: ledger}}
networks: {default: {name: shop, ipam: {config: [{subnet: 172.30.0.0/24}]}}}
F
docker compose --project-directory /srv/shop up --detach
docker rm $(docker ps --all --quiet --filter status=created)
"""
_DEPLOY_VOICE = """
cat > /etc/systemd/system/address.service <<'F'
[Service]
Type=oneshot
ExecStart=ip address replace fd99::1/128 dev lo nodad
[Install]
WantedBy=multi-user.target
F
systemctl enable --now address.service
mkdir -p /srv/voice
cat > /srv/voice/server.py <<'F'
import os, socket
os.makedirs("/kept", exist_ok=True)
if not os.path.exists("/kept/born"):
    with open("/kept/born", "w") as stream:
        stream.write("born once")
server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
server.bind(("::", 5000))
while True:
    _asked, sender = server.recvfrom(100)
    with open("/kept/born") as stream:
        server.sendto(stream.read().encode(), sender)
F
cat > /srv/voice/compose.yaml <<'F'
services:
  beacon:
    container_name: beacon
    image: blog/app:1
    user: "0"
    restart: always
    ports: ["5000:5000/udp"]
    volumes: ["/srv/voice/server.py:/server.py:ro"]
    command: python3 -u /server.py
  scribe:
    container_name: scribe
    image: lab/aside:1
    restart: unless-stopped
    command: sh -c 'test -e /scribbled || echo written once > /scribbled; exec redis-server --port 7000 --save ""'
networks:
  default: {name: voice, enable_ipv6: true, ipam: {config: [{subnet: 172.30.1.0/24}, {subnet: "fd30:1::/64"}]}}
F
docker compose --project-directory /srv/voice up --detach
"""
_ECHO = """
import socket, subprocess, sys
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "fd99::1")):
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        asker.settimeout(2)
        for _try in range(5):
            try:
                asker.sendto(b"?", (address, 5000))
                print(asker.recv(100).decode())
                break
            except OSError as error:
                said = str(error)
        else:
            print(said)
print(subprocess.run([sys.argv[1], "exec", "scribe", "cat", "/scribbled"], stdout=-1, stderr=-2, text=True).stdout.strip())
"""
HOSTS = {
    # Two containers in a pod of their own, a secret, a volume.
    "pod": Host({"shop": _SHOP}, _DEPLOY_SHOP, {}, 1, "", []),
    # The same with its volume adopted, and beside it UDP over IPv4 and IPv6, a folder that is persisted, a layer committed.
    "pair": Host(
        {
            "shop": _SHOP._replace(units=tuple(name for name in _SHOP.units if not name.endswith(".volume"))),
            "voice": Workload(
                {"beacon": "always", "scribe": "unless-stopped"},
                "voice",
                "172.30.1.",
                "voice-infra",
                (
                    "beacon.container",
                    "beacon.dockerenv",
                    "beacon_kept.volume",
                    "scribe.container",
                    "scribe.dockerenv",
                    "voice.network",
                    "voice.pod",
                ),
                ("voice.pod",),
                0,
            ),
        },
        _DEPLOY_SHOP + _DEPLOY_VOICE,
        {
            "strategy": "adopt",
            "accept": ["ipv6-published"],
            "containers": {"beacon": {"persist": ["/kept"]}, "scribe": {"commit": True}},
        },
        2,
        _ECHO,
        ["born once", "born once", "written once"],
    ),
}


def expected(host: Host, owners: dict[str, str]) -> dict[str, Any]:
    """What has to be so when these engines have the workloads."""
    theirs = {name: item for name, item in host.workloads.items() if owners[name] == "podman"}
    dockers = {name: item for name, item in host.workloads.items() if name not in theirs}
    return {
        "owners": owners,
        "interrupted": [],
        "unfinished": [],
        "docker": sorted(name for item in dockers.values() for name in item.containers),
        "podman": sorted(name for item in theirs.values() for name in (*item.containers, item.pod)),
        "policies": {
            name: "no" if owner in theirs else policy
            for owner, item in host.workloads.items()
            for name, policy in item.containers.items()
        },
        "networks": sorted(["podman", *(item.network for item in theirs.values())]),
        "rehearsals": 0,
        "gates": 0,
        "bridges": owners,
        "passages": sorted(theirs),
        "units": sorted(name for item in theirs.values() for name in item.units),
        "awake": sorted(name for item in theirs.values() for name in item.awake),
        "secrets": sum(item.secrets for item in theirs.values()),
        "echo": host.answers,
        "failed": [],
        "recovery": "success",
    }
