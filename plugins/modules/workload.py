#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload
short_description: Move workloads from Docker to Podman
version_added: 0.1.0
author:
  - The podshift developers (@podshift)
description:
  - Stops the containers of a workload in Docker, brings its volumes up to date, starts it in Podman as Quadlet units
    and waits until it is no worse than it was before.
  - Each workload is a transaction. What fails before its commit is undone, and Docker runs the same containers again.
    The other workloads go on, and the module fails at the end with a list.
  - A transaction that was interrupted before its commit is undone first, one that was interrupted after it goes on.
  - A workload that has moved is left alone.
notes:
  - Needs root (C(become)).
  - Images, volumes and secrets must be in Podman before.
attributes:
  check_mode:
    description: Can run without changing anything, and says truthfully whether it would.
    support: full
  diff_mode:
    description: Returns the differences in diff mode.
    support: full
    details:
      - The unit files, with every environment value masked.
  platform:
    description: Systems that the module works on.
    support: full
    platforms: linux
options:
  engine:
    description: The engine that the workloads shall belong to.
    type: str
    choices: [podman]
    default: podman
  plan_path:
    description: The plan that M(podshift.docker_to_podman.migration_plan) wrote.
    type: path
    required: true
  socket:
    description: The API socket of the Docker Engine.
    type: path
    default: /run/docker.sock
  workloads:
    description: The names of the workloads to move. All when empty.
    type: list
    elements: str
    default: []
  ready_timeout:
    description: How long a workload may take from its start in Podman until it is ready, in seconds.
    type: int
    default: 120
  state_dir:
    description: The folder on the host in which the collection keeps its state.
    type: path
    default: /var/lib/docker_to_podman
seealso:
  - module: podshift.docker_to_podman.migration_plan
"""

EXAMPLES = r"""
- name: Move everything that the plan holds
  podshift.docker_to_podman.workload:
    plan_path: "{{ plan.plan_path }}"

- name: Move one workload, and give its database ten minutes
  podshift.docker_to_podman.workload:
    plan_path: "{{ plan.plan_path }}"
    workloads: [blog]
    ready_timeout: 600
"""

RETURN = r"""
workloads:
  description: What became of each workload.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the workload.
      type: str
      sample: blog
    state:
      description:
        - V(committed) belongs to Podman, V(docker) to Docker (check mode).
        - V(rolled_back) failed and runs in Docker again, V(refused) was not touched.
        - V(unfinished) runs in Podman and the next run completes its units.
        - V(stuck) failed, and so did the way back. The message says what runs where.
      type: str
      sample: committed
    changed:
      description: Whether anything was done, or would be in check mode.
      type: bool
    downtime:
      description: From the first request to stop until ready, in seconds. Zero when nothing was stopped.
      type: float
      sample: 4.2
    steps:
      description: The steps that ran, or would run in check mode.
      type: list
      elements: str
      sample: [record, install_units, hold_restarts, stop_docker]
    seconds:
      description: How long each step took.
      type: dict
    reason:
      description: Why it did not move. Empty when it did.
      type: str
recovered:
  description: Workloads whose interrupted transaction was undone first, or would be in check mode.
  returned: always
  type: list
  elements: str
"""

import fcntl
import os
import signal
from contextlib import contextmanager, nullcontext
from typing import Any, Iterator

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _staging as staging
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _transaction as transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _units as units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._cutover import ENABLE, Cutover, CutoverError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import Docker, DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import (
    STATE_DIR,
    EngineState,
    StateError,
    make_folder,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.quadlet import masked
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._reach import Outside, ReachError

FORESEEN = (CommandError, CutoverError, DockerError, ReachError, StateError, units.UnitError)


class Interrupted(Exception):
    """The module was told to end; the message names the signal."""


def move(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """Move the workloads; returns the result of the module."""
    plan, engine = staging.load(params["plan_path"], params["state_dir"])
    docker = Docker(params["socket"])
    with nullcontext() if check else locked(engine):
        recovered = recover(plan, engine, docker, check)
        owners = staging.owners(plan, engine, params["workloads"])
        require_movable(plan, owners.docker, engine)
        installed = {name: text for item in plan["workloads"] for name, text in units.read(item["units"]).items()}
        outside = Outside()
        results = []
        with outside if owners.docker and not check else nullcontext():
            for workload in owners.podman + owners.docker:
                cutover = Cutover(plan, workload, docker, outside, params["ready_timeout"])
                results.append(one(plan["hash"], workload, engine, cutover, check))
    return {
        "changed": bool(recovered) or any(result["changed"] for result in results),
        "workloads": results,
        "recovered": recovered,
        "diff": differences(plan, results, installed),
    }


def require_movable(plan: dict[str, Any], workloads: list[dict[str, Any]], engine: EngineState) -> None:
    """StateError while a blocker stands against one of the workloads, or when their engine is no more."""
    if workloads and engine.retired:
        names = ", ".join(workload["name"] for workload in workloads)
        raise StateError(
            "Docker is retired on this host, but the plan has {0} to move; run the role assess.".format(names)
        )
    blockers = {item["subject"]: item["message"] for item in plan["findings"] if item["severity"] == "blocker"}
    for workload in workloads:
        subjects = ["engine", workload["name"]]
        for part in ("containers", "networks", "volumes"):
            subjects += [item["name"] for item in workload[part]]
        for subject in subjects:
            if subject in blockers:
                raise StateError("{0} cannot move: {1}".format(workload["name"], blockers[subject]))


def one(plan_hash: str, workload: dict[str, Any], engine: EngineState, cutover: Cutover, check: bool) -> dict[str, Any]:
    """Bring one workload to where it belongs, and say how it went."""
    events = engine.journal(workload["name"])
    is_committed = transaction.state(events) == transaction.COMMITTED
    after = cutover.steps_after(settled=transaction.has_finished(events, ENABLE))
    run = transaction.Transaction(engine.journal_path(workload["name"]), plan_hash, cutover.steps(), after)
    result = {"name": workload["name"], "state": "committed", "reason": "", "downtime": 0.0, "seconds": {}}
    moved = {container for containers in engine.committed().values() for container in containers}
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
        run.run(cutover.commit)
        result["state"] = "committed"
    except transaction.RolledBack as error:
        result.update(state="stuck" if error.failures else "rolled_back", reason=way_back(error, cutover))
        if isinstance(error.__cause__, Interrupted):
            raise error.__cause__ from None
    except transaction.Unfinished as error:
        result.update(state="unfinished", reason="It runs on Podman, but was not completed: {0}".format(error))
    except FORESEEN as error:
        result.update(state="refused", reason=str(error))
    result["seconds"] = {step.name: step.seconds for step in run.ran}
    steps = [step.name for step in run.ran]
    return {**result, "changed": bool(steps), "steps": steps, "downtime": cutover.downtime}


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
        cutover = Cutover(plan, {"name": path.stem, "containers": []}, docker, Outside())
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
    touched = [result["name"] for result in results if ENABLE in result["steps"]]
    wanted = {
        name: text for item in plan["workloads"] if item["name"] in touched for name, text in item["units"].items()
    }
    return [
        {
            "before_header": "{0}/{1}".format(units.UNIT_DIR, name),
            "after_header": "{0}/{1}".format(units.UNIT_DIR, name),
            "before": masked(installed.get(name, "")),
            "after": masked(text),
        }
        for name, text in sorted(wanted.items())
        if installed.get(name) != text
    ]


@contextmanager
def locked(engine: EngineState) -> Iterator[None]:
    """Keep other runs away from this engine."""
    make_folder(engine.root)
    with open(str(engine.root / "lock"), "w", encoding="ascii", opener=root_only) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError("Another run is moving workloads of this engine; wait until it has ended.") from None
        yield


def root_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def interrupt(number: int, _frame: object) -> None:
    """Turn a signal into an error, so that what is under way is undone; a second one must not disturb that."""
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(
        "The run was ended by {0}; what was not committed runs in Docker.".format(signal.Signals(number).name)
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "str", "choices": ["podman"], "default": "podman"},
            "plan_path": {"type": "path", "required": True},
            "socket": {"type": "path", "default": "/run/docker.sock"},
            "workloads": {"type": "list", "elements": "str", "default": []},
            "ready_timeout": {"type": "int", "default": 120},
            "state_dir": {"type": "path", "default": STATE_DIR},
        },
        supports_check_mode=True,
    )
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
    try:
        result = move(module.params, module.check_mode)
    except (*FORESEEN, Interrupted) as error:
        module.fail_json(msg=str(error), workloads=[], recovered=[])
    except OSError as error:
        module.fail_json(msg="{0} cannot be used: {1}.".format(error.filename or "The state", error.strerror))
    if not module._diff:
        del result["diff"]
    failed = [item for item in result["workloads"] if item["reason"]]
    if failed:
        reasons = "\n".join("{0}: {1}".format(item["name"], item["reason"]) for item in failed)
        module.fail_json(
            msg="{0} of {1} workloads did not move.\n{2}".format(len(failed), len(result["workloads"]), reasons),
            **result,
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
