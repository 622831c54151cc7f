# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module ``workload`` says about a run (private to the collection)."""

from __future__ import annotations

import time
from typing import Any

from .._common.errors import UserError
from .._common.json import Json
from .._docker.api import Docker, DockerError, listed_name
from .._plan.masking import shown_units
from .._plan.quadlet import states
from .._podman import units
from .._state.engine_state import EngineState, container_ids
from .._state.records import StateError, read_json
from .._workload import podman_services
from .._workload.docker_containers import DockerSide
from .cutover import ENABLE
from .transaction import RolledBack, Transaction

_NOT_SHOWN = "(It was changed since it was installed, and may hold values: not shown.)\n"
# The steps that stop a workload, and those whose undo starts it again.
_RESTARTS = {"stop_docker": "stop_docker", "stop_podman": "bar_units"}
EMPTY: Json = {"reason": "", "downtime": 0.0, "seconds": {}, "changed": False, "steps": [], "ports": []}


def not_moved(name: str, state: str, reason: str) -> Json:
    """The result of a workload that this run did not move."""
    return {**EMPTY, "name": name, "state": state, "reason": reason}


def of(run: Transaction) -> Json:
    """What a transaction did."""
    steps = [step.name for step in run.ran]
    return {
        "changed": bool(steps),
        "steps": steps,
        "seconds": {step.name: step.seconds for step in run.ran},
        "downtime": _downtime(run),
    }


def _downtime(run: Transaction) -> float:
    """Until the ports were open, or it ran again where it was; without either until now, when it still stands still."""
    opened = [step.data["downtime"] for step in run.ran if step.name == "open_ports"]
    stopped = [
        run.undone.get(restart, time.time()) - run.began[stop]
        for stop, restart in _RESTARTS.items()
        if stop in run.began
    ]
    return opened[0] if opened else round(stopped[0], 2) if stopped else 0.0


def undone(error: RolledBack, where: str) -> str:
    """Why it failed, whether it was undone, and what runs now."""
    way_back = "It was undone."
    if error.failures:
        way_back = "The way back failed too ({0}); repair that and run this again.".format("; ".join(error.failures))
    return "{0}\n{1} {2}".format(error, way_back, where)


def whereabouts(record: Json, docker: Docker) -> str:
    """Which engine runs what of a workload, in a sentence."""
    try:
        in_docker, in_podman = DockerSide(docker).up(record["containers"]), podman_services.up(record)
    except UserError as error:
        return "What runs where cannot be said: {0}".format(error)
    return "Docker runs {0}, Podman runs {1}.".format(", ".join(in_docker) or "none", ", ".join(in_podman) or "none")


def require_movable(plan: dict[str, Any], workloads: list[dict[str, Any]], engine: EngineState) -> None:
    """StateError while a blocker stands against one of the workloads, or when their engine is no more."""
    if workloads and engine.retired:
        names = ", ".join(workload["name"] for workload in workloads)
        raise StateError(
            "Docker is retired on this host, but the plan has {0} to move; run the role assess.".format(names)
        )
    standing = [item for item in plan["findings"] if item["severity"] == "blocker" and not item.get("accepted")]
    blockers = {item["subject"]: item["message"] for item in standing}
    for workload in workloads:
        subjects = ["engine", workload["name"]]
        for part in ("containers", "networks", "volumes"):
            subjects += [item["name"] for item in workload[part]]
        for subject in subjects:
            if subject in blockers:
                raise StateError("{0} cannot move: {1}".format(workload["name"], blockers[subject]))


def left_on_docker(
    plan: dict[str, Any], engine: EngineState, results: list[dict[str, Any]], docker: Docker
) -> list[str]:
    """The names of all containers of the engine, planned or not, that are Docker's after this run."""
    moved = container_ids(engine.committed())
    # What check mode would move counts as moved.
    moving = {result["name"] for result in results if result["state"] == "docker" and not result["reason"]}
    planned = [(item["name"], container) for item in plan["workloads"] for container in item["containers"]]
    moved.update(container["id"] for workload, container in planned if workload in moving)
    names = {container["id"]: container["name"] for _workload, container in planned}
    if engine.inventory_path.exists():
        recorded = read_json(engine.inventory_path)["containers"]
        names.update({container["Id"]: container["Name"].lstrip("/") for container in recorded})
    if not engine.retired:
        # Also what was started after the inventory was made: retiring Docker would end it.
        try:
            now = docker.get("/containers/json", all=1)
            names.update({item["Id"]: listed_name(item) for item in now})
        except DockerError as error:
            # What has moved has moved, and must be told.
            names[""] = "what was created since (unknown: {0})".format(error)
    return sorted(name for number, name in names.items() if number not in moved)


def differences(plan: dict[str, Any], results: list[dict[str, Any]], installed: dict[str, str]) -> list[dict[str, str]]:
    """The unit files before and after, without environment values."""
    shown = {name: text for item in plan["workloads"] for name, text in shown_units(item).items()}
    steps = {result["name"]: result["steps"] for result in results}
    ours = {name: text for item in plan["workloads"] for name, text in item["units"].items()}
    # Only of our own units is it known where values stand.
    before = {
        name: dict(zip(states(ours[name]), states(shown[name]))).get(text, _NOT_SHOWN)
        for name, text in installed.items()
    }
    wanted: dict[str, str] = {}
    for item in plan["workloads"]:
        if ENABLE in steps.get(item["name"], ()):
            wanted.update(item["units"])
        elif "remove_units" in steps.get(item["name"], ()):
            wanted.update({name: "" for name in item["units"] if name in installed})
    return [
        {
            "before_header": "{0}/{1}".format(units.UNIT_DIR, name),
            "after_header": "{0}/{1}".format(units.UNIT_DIR, name),
            "before": before.get(name, ""),
            "after": shown[name] if text else "",
        }
        for name, text in sorted(wanted.items())
        if installed.get(name) != text
    ]
