"""How long a plan takes, for few and for many containers."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    inventory,
    service,
    volume_mount,
)

ROUNDS = 7


def host(size: int) -> Any:
    """An inventory of ``size`` containers, each with secrets: half of them in Compose projects of five, half on their own."""
    found = []
    for number in range(size // 2):
        found.append(container(f"single-{number}", Mounts=[volume_mount(f"data-{number}")], **_secrets(number)))
    for project in range(size // 10):
        for member in range(5):
            port = {f"{8000 + member}/tcp": [{"HostIp": "", "HostPort": str(10000 + project * 5 + member)}]}
            given = {"HostConfig__PortBindings": port, **_secrets(size + project * 5 + member)}
            found.append(service(f"project{project}", f"service{member}", **given))
    return inventory(found)


def _secrets(number: int) -> dict[str, Any]:
    """Variables, and a health check that Compose has filled one of them into. Tokens of one kind begin alike."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + digest
    plain = [f"SETTING_{place}=value {place} of {number}" for place in range(10)]
    secret = [
        "DB_PASSWORD=" + digest[:20],
        "DATABASE_URL=postgres://app:" + digest[20:40] + "@db/app",
        "TOKEN=" + token,
    ]
    check = {"Test": ["CMD", "ask", "--bearer", token]}
    return {"Config__Env": ["PATH=/bin", *plain, *secret], "Config__Healthcheck": check}


def seconds(document: Any) -> float:
    """One plan, in time of the processor: other programs on the machine do not count."""
    start = time.process_time()
    made = make_plan(document, None, "5.4.2")
    taken = time.process_time() - start
    planned = sum(len(workload["containers"]) for workload in made["workloads"])
    if planned != len(document["containers"]):
        raise RuntimeError(f"{planned} of {len(document['containers'])} containers were planned")
    return taken


def measure() -> dict[str, float]:
    """The ratio of the fastest rounds; both sizes take turns, so that a slow moment of the machine meets both."""
    small, large = host(100), host(1000)
    pairs = [(seconds(small), seconds(large)) for _round in range(ROUNDS)]
    few, many = (min(taken) for taken in zip(*pairs, strict=True))
    print(f"plan of 100 containers: {few:.2f} s; of 1000: {many:.2f} s")
    return {"plan_1000_vs_100": round(many / few, 2)}
