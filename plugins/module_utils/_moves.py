# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over the workloads of a plan, each a transaction of its own (private to the collection)."""

from __future__ import annotations

import signal
from contextlib import nullcontext
from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _staging as staging
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _transaction as transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _units as units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._cutover import ENABLE, Cutover, CutoverError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import Docker, DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import (
    EngineState,
    StateError,
    container_ids,
    read_json,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._images import ImageError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.quadlet import masked
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._reach import Outside, ReachError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._tree import TreeError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._volumes import VolumeError

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Interrupted(Exception):
    """The run was told to end; the message names the signal."""


FORESEEN = (
    CommandError,
    CutoverError,
    DockerError,
    ImageError,
    ReachError,
    StateError,
    TreeError,
    units.UnitError,
    VolumeError,
)


def move(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """Move the workloads; ``params`` and the result are those of the module ``workload``."""
    plan, engine = staging.load(params["plan_path"], params["state_dir"])
    docker = Docker(params["socket"])
    with nullcontext() if check else staging.locked(engine):
        recovered = recover(plan, engine, docker, check)
        owners = staging.owners(plan, engine, params["workloads"])
        require_movable(plan, owners.docker, engine)
        installed = {name: text for item in plan["workloads"] for name, text in units.read(item["units"]).items()}
        outside, moved = Outside(), container_ids(engine.committed())
        results = []
        with outside if owners.docker and not check else nullcontext():
            for workload in owners.podman + owners.docker:
                cutover = Cutover(plan, engine, workload, docker, outside, params["ready_timeout"])
                results.append(one(plan["hash"], workload, engine, moved, cutover, check))
    return {
        "changed": bool(recovered) or any(result["changed"] for result in results),
        "workloads": results,
        "recovered": recovered,
        "left_on_docker": left_on_docker(plan, engine, results),
        "diff": differences(plan, results, installed),
    }


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


def one(
    plan_hash: str, workload: dict[str, Any], engine: EngineState, moved: set[str], cutover: Cutover, check: bool
) -> dict[str, Any]:
    """Bring one workload to where it belongs, and say how it went; ``moved`` are containers that belonged to Podman
    before this run."""
    events = engine.journal(workload["name"])
    is_committed = transaction.state(events) == transaction.COMMITTED
    after = cutover.steps_after(is_committed, settled=transaction.has_finished(events, ENABLE))
    run = transaction.Transaction(engine.journal_path(workload["name"]), plan_hash, cutover.steps(), after)
    result = {"name": workload["name"], "state": "committed", "reason": "", "downtime": 0.0, "seconds": {}}
    if not is_committed and any(container["id"] in moved for container in workload["containers"]):
        # It moved under another name, by an earlier plan; this journal has nothing to finish.
        return {**result, "changed": False, "steps": []}
    try:
        if not is_committed:
            result["state"] = "docker"
            cutover.require_as_planned()
        if check:
            steps = run.pending()
            return {**result, "changed": bool(steps), "steps": steps}
        if not is_committed:
            cutover.require_staged()
        run.run(cutover.commit)
        result["state"] = "committed"
    except transaction.RolledBack as error:
        result.update(state="stuck" if error.failures else "rolled_back", reason=way_back(error, cutover))
        if isinstance(error.__cause__, Interrupted):
            raise Interrupted(result["reason"]) from None
    except transaction.Unfinished as error:
        result.update(state="unfinished", reason="It runs on Podman, but was not completed: {0}".format(error))
    except FORESEEN as error:
        result.update(state="refused", reason=str(error))
    result["seconds"] = {step.name: step.seconds for step in run.ran}
    steps = [step.name for step in run.ran]
    return {**result, "changed": bool(steps), "steps": steps, "downtime": cutover.downtime}


def left_on_docker(plan: dict[str, Any], engine: EngineState, results: list[dict[str, Any]]) -> list[str]:
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
    return sorted(name for number, name in names.items() if number not in moved)


def way_back(error: transaction.RolledBack, cutover: Cutover) -> str:
    """Why it failed, whether it was undone, and what runs now."""
    undone = "It was undone."
    if error.failures:
        undone = "The way back failed too ({0}); repair that and run this again.".format("; ".join(error.failures))
    try:
        where = cutover.whereabouts()
    except FORESEEN as failure:
        where = "What runs where cannot be said: {0}".format(failure)
    return "{0}\n{1} {2}".format(error, undone, where)


def recover(plan: dict[str, Any], engine: EngineState, docker: Docker, check: bool) -> list[str]:
    """Undo the transactions that were interrupted before their commit; their names."""
    found = []
    for path in sorted((engine.root / "journal").glob("*.jsonl")):
        cutover = Cutover(plan, engine, {"name": path.stem, "containers": []}, docker, Outside())
        run = transaction.Transaction(path, plan["hash"], cutover.steps())
        if run.state != transaction.INTERRUPTED:
            continue
        found.append(path.stem)
        failures = [] if check else run.undo("the run before was interrupted")
        if failures:
            raise StateError(
                "{0} was interrupted before, and could not be brought back to Docker: {1}. Repair that and run this "
                "again.".format(path.stem, "; ".join(failures))
            )
    return found


def differences(plan: dict[str, Any], results: list[dict[str, Any]], installed: dict[str, str]) -> list[dict[str, str]]:
    """The unit files before and after, without environment values."""
    rules = plan["policy"].get("secrets") or []
    touched = [result["name"] for result in results if ENABLE in result["steps"]]
    wanted = {
        name: text for item in plan["workloads"] if item["name"] in touched for name, text in item["units"].items()
    }
    return [
        {
            "before_header": "{0}/{1}".format(units.UNIT_DIR, name),
            "after_header": "{0}/{1}".format(units.UNIT_DIR, name),
            "before": masked(installed.get(name, ""), rules),
            "after": masked(text, rules),
        }
        for name, text in sorted(wanted.items())
        if installed.get(name) != text
    ]


def heed_signals() -> None:
    """Make the signals that end a process an error instead."""
    for number in _SIGNALS:
        signal.signal(number, interrupt)


def interrupt(number: int, _frame: object) -> None:
    """Turn a signal into an error, so that what is under way is undone; a second one must not disturb that."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(
        "The run was ended by {0}; what was not committed runs in Docker.".format(signal.Signals(number).name)
    )
