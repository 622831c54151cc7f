"""How long a plan takes, for few and for many containers."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    inventory,
    service,
    volume_mount,
)

ROUNDS = 5


def host(size: int) -> Any:
    """An inventory of ``size`` containers: half of them in Compose projects of five, half on their own."""
    found = [container(f"single-{number}", Mounts=[volume_mount(f"data-{number}")]) for number in range(size // 2)]
    for project in range(size // 10):
        for member in range(5):
            port = {f"{8000 + member}/tcp": [{"HostIp": "", "HostPort": str(10000 + project * 5 + member)}]}
            found.append(service(f"project{project}", f"service{member}", HostConfig__PortBindings=port))
    return inventory(found)


def seconds(size: int) -> float:
    """The fastest of some rounds."""
    document, taken = host(size), []
    for _round in range(ROUNDS):
        start = time.perf_counter()
        made = make_plan(document, None, "5.4.2")
        taken.append(time.perf_counter() - start)
    planned = sum(len(workload["containers"]) for workload in made["workloads"])
    if planned != len(document["containers"]):
        raise RuntimeError(f"{planned} of {len(document['containers'])} containers were planned")
    return min(taken)


def measure() -> dict[str, float]:
    """Ratio and, for the page on performance, the figure behind it."""
    few, many = seconds(100), seconds(1000)
    print(f"plan of 100 containers: {few:.2f} s; of 1000: {many:.2f} s")
    return {"plan_1000_vs_100": round(many / few, 2)}
