#!/usr/bin/python

# Copyright: The podshift developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_plan
short_description: Plan what a Docker host will run on Podman
version_added: "0.1.0"
description:
  - Translates the inventory of a Docker Engine into Quadlet units for Podman, and says what cannot be translated.
  - It is a pure computation and runs anywhere, also on a laptop from a saved inventory.
options:
  inventory:
    description:
      - The inventory, as the module M(podshift.docker_to_podman.docker_inventory) writes it.
      - It holds secrets; the module keeps it out of logs and of what Ansible prints.
    type: dict
  inventory_path:
    description:
      - Where the inventory is on the target.
      - What C(docker inspect) prints for containers, a list, is accepted too; less can be said from it.
    type: path
  podman_version:
    description:
      - The version of Podman that will run the units, for example V(5.4.2).
      - Without it, the version that the inventory says is installed, or else would be installed.
    type: str
  policy:
    description:
      - What the user decides.
      - C(hardening) (V(docker), V(podman)), C(logs) (V(journald), V(k8s-file)),
        C(verify) (V(contents), V(quick), how copies of volumes are compared; V(quick) looks at metadata only) and
        C(strategy) (V(copy), V(adopt)) are for all, or for one below C(projects) or C(containers).
      - C(grouping) is for all, or for one workload below C(projects). With V(auto) and V(pod) a workload becomes a pod where
        nothing speaks against it; with V(pod) it is a warning when something does.
      - The strategy V(adopt) makes Podman use a volume's folder where Docker has it, without a copy and without a volume of
        Podman's. Docker's data is then written under Podman, so that a workload that goes back to Docker finds what was
        written meanwhile, also by a start that failed; removing the volume in Docker removes the data. All containers that
        use the volume need the same strategy. Volumes whose data lies elsewhere (nfs, tmpfs, bind) have none.
      - C(persist) below C(containers) lists folders of a container's own file system that become named volumes, with
        their data. C(commit) there makes one more layer of its image of all that was written into it. Both need Docker's
        storage driver C(overlay2), or the containerd image store and a container that runs.
      - C(accept) lists findings that may stand, warnings by C(code) or C(code:subject). Of blockers only C(unknown-field),
        C(untranslated-option) and C(daemon-option) may, by the path of their field.
      - C(exclude) lists workloads that stay in Docker, by their names in the report.
      - A name below C(exclude), C(projects) or C(containers) that the host does not have is a warning.
      - C(secrets) lists regular expressions for names of secret variables.
      - C(noise) lists paths in containers, with all that is below them, that hold nothing worth keeping.
    type: dict
  plan_path:
    description:
      - Where the complete plan is written, readable by root only. Nothing is written without it, or in check mode.
    type: path
  reveal:
    description:
      - Whether the returned units hold the values of environment variables. Meant for work on a saved inventory.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says whether the plan would change and does not write it.
    support: full
  diff_mode:
    description: Shows the units before and after, environment values and secrets masked.
    support: full
  platform:
    description: Runs anywhere.
    support: full
    platforms: posix
author:
  - The podshift developers (@podshift)
"""

EXAMPLES = r"""
- name: Plan the migration
  podshift.docker_to_podman.migration_plan:
    inventory_path: /var/lib/docker_to_podman/7f0c/inventory.json
    plan_path: /var/lib/docker_to_podman/7f0c/plan.json
    podman_version: 5.4.2
    policy:
      accept:
        - writable-layer:cache
      containers:
        wiki:
          persist:
            - /var/lib/wiki
"""

RETURN = r"""
plan:
  description: The plan, environment values and secrets masked unless O(reveal) is set.
  returned: success
  type: dict
report:
  description: The plan in lines that a person reads.
  returned: success
  type: list
  elements: str
obstacles:
  description:
    - One sentence with its remedy for each blocker, and for each warning that nobody has accepted yet.
    - A migration begins when this is empty.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import sentence
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.hidden import of_inventory
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.masking import masked_plan, shown_units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import PlanError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.policy import checked, secret_rules
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.report import obstacles, report
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import (
    StateError,
    load_json,
    read_json,
    write_json,
)


def units_text(plan):
    """All units of a plan as one masked text, for the diff."""
    units = [item for workload in plan["workloads"] for item in sorted(shown_units(workload).items())]
    return "".join("# {0}\n{1}\n".format(name, unit) for name, unit in units)


def recorded_plan(path):
    """The plan that is written there, or an empty one."""
    try:
        return read_json(path)
    except StateError:
        return {"workloads": []}


def taken_inventory(module):
    """The inventory that the module was given; afterwards its arguments do not hold it any more."""
    given = module.params
    if given["inventory"] is None:
        try:
            return load_json(given["inventory_path"])
        except StateError as error:
            module.fail_json(msg=str(error))
    # Ansible would show the arguments at -vvv, and of an option with no_log it hides every string, also in the report.
    inventory, given["inventory"] = given["inventory"], "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    module.no_log_values = set()
    return inventory


def main():
    module = AnsibleModule(
        argument_spec={
            "inventory": {"type": "dict", "no_log": True},
            "inventory_path": {"type": "path"},
            "podman_version": {"type": "str"},
            "policy": {"type": "dict"},
            "plan_path": {"type": "path"},
            "reveal": {"type": "bool", "default": False},
        },
        required_one_of=[("inventory", "inventory_path")],
        mutually_exclusive=[("inventory", "inventory_path")],
        supports_check_mode=True,
    )
    given = module.params
    inventory = taken_inventory(module)
    try:
        secrets = of_inventory(inventory, secret_rules(checked(given["policy"])))
    except PlanError as error:
        module.fail_json(msg=str(error))
    try:
        plan = make_plan(inventory, given["policy"], given["podman_version"], secrets)
    except PlanError as error:
        module.fail_json(msg=secrets.telling.text(str(error)))
    shown = masked_plan(plan, secrets)
    result = {
        "changed": False,
        "plan": plan if given["reveal"] else shown,
        "report": report(shown),
        "obstacles": obstacles(shown),
    }
    if given["plan_path"]:
        before = recorded_plan(given["plan_path"])
        diff = {"before": secrets.telling.text(units_text(before)), "after": units_text(plan)}
        # What may be shown can differ alone: by another version of this collection.
        result["changed"] = before.get("hash") != plan["hash"] or diff["before"] != diff["after"]
        result["diff"] = diff
        if result["changed"] and not module.check_mode:
            try:
                write_json(given["plan_path"], plan)
            except OSError as error:
                module.fail_json(msg=sentence(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
