"""How long a service with data is down: our cutover, the way people follow by hand today, and the floor, which is to stop
it in Docker and to start it in Podman with everything in place.

The time is that between the last answer to a client outside the machine and the first one after it. It differs by a third
from one time to the next: a database takes until its next tick to notice that it shall stop. So ours and the floor are
measured several times in turn, and their means compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from asker import Asker
from station import FIRST, Station
from workloads import HOSTS

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"10MB": 10, "1GB": 1000}
SETTLE, ROUNDS = 5.0, 5
RUN = (
    "--publish 6390:6379 --volume {volume}:/data docker.io/lab/heavy:1 "
    "redis-server --bind '*' --protected-mode no --appendonly yes --appendfsync always"
)
DEPLOY = """
set -e
docker compose --project-directory /srv/blog down --volumes
docker rm --force --volumes cache
mkdir /root/heavy
head --bytes=500M /dev/urandom > /root/heavy/ballast
printf 'FROM lab/redis:1\\nCOPY ballast /ballast\\n' > /root/heavy/Dockerfile
DOCKER_BUILDKIT=0 docker build --tag lab/heavy:1 /root/heavy
rm -r /root/heavy
docker run --detach --name ledger --restart always """ + RUN.format(volume="ledger")
BALLAST = "\nhead --bytes={megabytes}M /dev/urandom > $(docker volume inspect --format '{{{{.Mountpoint}}}}' ledger)/ballast\n"
# Docker's firewall lets nothing pass to Podman.
OPEN = "iptables --insert DOCKER-USER --jump ACCEPT; "
IN_PLACE = OPEN + "podman volume create floor && podman create --name floor " + RUN.format(volume="floor")
FLOOR = "docker stop ledger && podman start floor"
FORGET = OPEN + "podman rm --all --force; podman rmi --all --force; podman volume rm --all"
BY_HAND = (
    "set -e -o pipefail; docker stop ledger; docker save lab/heavy:1 | podman load; podman volume create hand; "
    "tar --create --directory $(docker volume inspect --format '{{.Mountpoint}}' ledger) . | "
    "tar --extract --directory $(podman volume inspect --format '{{.Mountpoint}}' hand); "
    "podman run --detach --name hand " + RUN.format(volume="hand")
)


def measure() -> dict[str, float]:
    """The ratios of seconds without an answer: ours to the floor, and to what people do by hand."""
    ratios = {}
    for name, megabytes in SIZES.items():
        host = HOSTS["pod"]._replace(workloads={}, deploy=DEPLOY + BALLAST.format(megabytes=megabytes))
        with Station(ROOT, "bench", host) as machine:
            turns = [_turn(machine) for _round in range(ROUNDS)]
            hand = silence(machine, FORGET, lambda machine=machine: machine.ssh(BY_HAND))
        ours, floor = (fmean(seconds) for seconds in zip(*turns, strict=True))
        print(f"downtime with {name}: ours {ours:.2f} s, floor {floor:.2f} s, by hand {hand:.1f} s", flush=True)
        ratios[f"downtime_vs_floor_{name}"] = round(ours / floor, 2)
        ratios[f"downtime_vs_manual_{name}"] = round(ours / hand, 3)
    return ratios


def _turn(machine: Station) -> tuple[float, float]:
    """The seconds of our cutover, and those of the floor."""
    ours = silence(machine, "", lambda: machine.move_again("podman"))
    floor = silence(machine, IN_PLACE, lambda: machine.ssh(FLOOR))
    print(f"  ours {ours:.2f} s, floor {floor:.2f} s", flush=True)
    return ours, floor


def silence(machine: Station, before: str, work: Callable[[], object]) -> float:
    """The longest time without an answer while work is done."""
    machine.begin(FIRST)
    if before:
        machine.ssh(before)
    with Asker(machine.port) as asker:
        time.sleep(SETTLE)
        work()
        told = len(asker.answers)
        until = time.monotonic() + 120
        while len(asker.answers) < told + 20 and time.monotonic() < until:
            time.sleep(0.1)
    if len(asker.answers) < told + 20:
        raise SystemExit("The service does not answer any more.")
    return asker.longest_silence()
