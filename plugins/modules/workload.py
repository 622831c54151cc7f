#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workload
short_description: Move workloads between Docker and Podman
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
  - The work is done by a service of its own on the host. When it is killed, or the host starts anew, another service
    brings what was interrupted to one side, by itself.
  - A published port that answered the controller before has to answer it again once the workload has moved, or the task
    fails; the workload stays where it is. On Podman such ports are recorded on the host, and each later run fails, too,
    until they answer, or somebody removes the record, or the workload has gone back.
  - With O(engine=docker) the way back, also weeks later. What Podman wrote is carried back into Docker's volumes first,
    and what Docker's held until then is kept below the state folder.
extends_documentation_fragment:
  - podshift.docker_to_podman.job
notes:
  - Needs root (C(become)).
  - Images and volumes must be in Podman before; secrets are made by the move.
attributes:
  check_mode:
    description: Can run without changing anything, and says truthfully whether it would.
    support: full
  diff_mode:
    description: Returns the differences in diff mode.
    support: full
    details:
      - The unit files, with every environment value and all secrets masked.
  platform:
    description: Systems that the module works on.
    support: full
    platforms: linux
options:
  engine:
    description: The engine that the workloads shall belong to.
    type: str
    choices: [podman, docker]
    default: podman
  data:
    description:
      - The data that a workload has when it is back in Docker.
      - With V(current) what Podman has. Docker's own as it was when the workload left is kept aside.
      - With V(original) Docker's own as it was when the workload left. What Podman has is kept aside.
      - Volumes of the strategy V(adopt) are the same for both engines; nothing of them is carried or kept aside.
    type: str
    choices: [current, original]
    default: current
  plan_path:
    description: The plan that M(podshift.docker_to_podman.migration_plan) wrote.
    type: path
    required: true
  socket:
    description: The API socket of the Docker Engine.
    type: path
    default: /run/docker.sock
  workloads:
    description: The names of the workloads to move. All when empty; with O(engine=docker) all that have moved.
    type: list
    elements: str
    default: []
  parallel:
    description: How many workloads are moved at a time.
    type: int
    default: 1
  ready_timeout:
    description: How long a workload may take from its start in Podman until it is ready, in seconds.
    type: int
    default: 120
  ready_timeouts:
    description: The same for single workloads, by their names.
    type: dict
    default: {}
  unreached:
    description:
      - Set by the action plugin of this module alone. Published ports, with the names of their workloads, that are
        recorded on the host until the controller has reached them.
      - Replaces the record and does nothing else; an empty list removes it.
    type: list
    elements: dict
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
    ready_timeouts: {blog: 600}
"""

RETURN = r"""
finished:
  description: Whether the work is done; it is V(false) only when O(wait) ended first.
  returned: success, or when workloads did not move; not in check mode
  type: bool
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
        - V(committed) belongs to O(engine). V(docker) and V(podman) belong to that engine and would move (check mode).
        - V(rolled_back) failed and runs where it ran before, V(refused) was not touched.
        - V(unfinished) has moved, and the next run completes it.
        - V(stuck) failed, and so did the way back. The message says what runs where.
      type: str
      sample: committed
    changed:
      description: Whether anything was done, or would be in check mode.
      type: bool
    downtime:
      description:
        - From the first request to stop until it was ready and its published ports were open, in seconds. Of a workload
          that failed, until it ran again where it was, or until the way back had failed too. Zero when nothing was stopped.
      type: float
      sample: 4.2
    steps:
      description: The steps that ran, or would run in check mode.
      type: list
      elements: str
      sample: [record, install_units, hold_restarts, stop_docker]
    ports:
      description: Its published ports, as the plan has them.
      type: list
      elements: dict
    seconds:
      description: How long each step took.
      type: dict
    reason:
      description: Why it did not move. Empty when it did.
      type: str
left_on_docker:
  description: The containers of the engine, planned or not, that are Docker's after this run (in check mode, would be).
  returned: success
  type: list
  elements: str
  sample: []
recovered:
  description: Workloads whose interrupted transaction was undone first, or would be in check mode.
  returned: always
  type: list
  elements: str
unreached:
  description:
    - Published ports of workloads on Podman that the controller reached before they moved, and has not reached since.
    - Those that the action plugin reaches now are still among them.
  returned: success, or when workloads did not move
  type: list
  elements: dict
unreached_recorded:
  description: All such ports, also of workloads that belong to Docker or are on their way.
  returned: success, or when workloads did not move
  type: list
  elements: dict
unreached_path:
  description: The file on the host in which they are recorded. Who removes it accepts them as they are.
  returned: success, or when workloads did not move
  type: str
  sample: /var/lib/docker_to_podman/0c1f/unreached.json
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError, message_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job.client import ARGUMENTS, JobError, call
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.ownership import load
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import STATE_DIR
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.unreached_ports import Unreached


def down(result: dict[str, Any]) -> str:
    """How long a workload that failed was down, in a sentence; "" when it was not."""
    return " It was down for {0:.1f} s.".format(result["downtime"]) if result["downtime"] else ""


def work(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """Move workloads, or only record the ports of ``params["unreached"]``. Raises JobError, UserError or OSError."""
    _plan, engine = load(params["plan_path"], params["state_dir"])
    unreached = Unreached(engine)
    if params["unreached"] is not None:
        if not check:
            unreached.record(params["unreached"])
        return {"changed": False}
    result = call("workloads", params, check)
    if not result.get("finished", True):
        return result
    if not check:
        unreached.forget_dockers()
    return {
        **result,
        "unreached": unreached.of_podman(),
        "unreached_recorded": unreached.ports,
        "unreached_path": str(unreached.path),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "str", "choices": ["podman", "docker"], "default": "podman"},
            "data": {"type": "str", "choices": ["current", "original"], "default": "current"},
            "plan_path": {"type": "path", "required": True},
            "socket": {"type": "path", "default": "/run/docker.sock"},
            "workloads": {"type": "list", "elements": "str", "default": []},
            "parallel": {"type": "int", "default": 1},
            "ready_timeout": {"type": "int", "default": 120},
            "ready_timeouts": {"type": "dict", "default": {}},
            "unreached": {"type": "list", "elements": "dict"},
            "state_dir": {"type": "path", "default": STATE_DIR},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        result = work(module.params, module.check_mode)
    except (JobError, UserError, OSError) as error:
        module.fail_json(msg=message_of(error), workloads=[], recovered=[])
    if not module._diff:
        result.pop("diff", None)
    failed = [item for item in result.get("workloads", []) if item["reason"]]
    if failed:
        reasons = "\n".join("{0}: {1}{2}".format(item["name"], item["reason"], down(item)) for item in failed)
        module.fail_json(
            msg="{0} of {1} workloads did not move.\n{2}".format(len(failed), len(result["workloads"]), reasons),
            **result,
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
