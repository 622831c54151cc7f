#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_residue
short_description: Find and remove what a stopped Docker leaves behind
version_added: 0.1.0
author:
  - The podshift developers (@podshift)
description:
  - A dockerd that was stopped leaves its firewall rules and bridges in the kernel, and its data on disk.
    The rules keep other machines from what Podman publishes.
  - Refuses while a dockerd runs in the host's network, except in check mode. A user's rootless one has a network of its own.
notes:
  - Needs root (C(become)).
attributes:
  check_mode:
    description: Can run without changing anything, and says truthfully whether it would.
    support: full
  diff_mode:
    description: Returns the differences in diff mode.
    support: full
  platform:
    description: Systems that the module works on.
    support: full
    platforms: linux
options:
  inventory_path:
    description: The inventory that M(podshift.docker_to_podman.docker_inventory) recorded.
    type: path
    required: true
  parts:
    description:
      - What to remove.
      - V(firewall) are Docker's chains, their jumps, the rules of its bridges and the policy V(DROP) it gave to C(FORWARD).
        Rules that a user put into C(DOCKER-USER) are moved to C(FORWARD). No other chain is touched. When a published port
        of the plan beside the inventory would no longer answer from outside, all rules are put back, and the module fails.
      - V(bridges) are those of the inventory's networks and C(docker0), when nothing is attached to them.
      - V(services) are those of this collection that help the host while workloads move.
      - V(adopted) are volumes that Podman uses in place (strategy V(adopt)). They are moved out of the data root while
        their containers run, never removed. Those on another file system are left.
      - V(data_root) are all images, volumes and containers of Docker, in the folder that the inventory names.
        There is no way back from this. It moves the adopted volumes first, and refuses when one of them is left.
    type: list
    elements: str
    choices: [firewall, bridges, services, adopted, data_root]
    default: [firewall, bridges]
seealso:
  - module: podshift.docker_to_podman.docker_inventory
"""

EXAMPLES = r"""
- name: Take Docker's rules and bridges away
  podshift.docker_to_podman.docker_residue:
    inventory_path: "{{ inventory.inventory_path }}"

- name: Delete Docker's data
  podshift.docker_to_podman.docker_residue:
    inventory_path: "{{ inventory.inventory_path }}"
    parts: [data_root]
"""

RETURN = r"""
found:
  description: What was found and removed or moved (in check mode, would be), by part.
  returned: success
  type: dict
  sample:
    bridges: [docker0]
left:
  description: What was left on purpose, by part.
  returned: success
  type: dict
  sample:
    bridges: ["br-0123456789ab: veth1 is attached to it"]
"""

from pathlib import Path
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import sentence
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network.probe import Port, ReachError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._removal import (
    bridges,
    data_root,
    firewall,
    leftovers,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError, read_json
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._trees.rsync import TreeError


def clean(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """Find and remove the parts; returns the result of the module."""
    inventory = read_json(params["inventory_path"])
    folder = Path(params["inventory_path"]).parent
    # In check mode the task that stops it has only been looked at as well.
    if not check:
        leftovers.require_no_docker()
    removers: dict[str, Callable[[], leftovers.Found]] = {
        "firewall": lambda: firewall.remove_firewall(inventory, published(folder / "plan.json"), folder, check),
        "bridges": lambda: bridges.remove_bridges(inventory, check),
        "services": lambda: leftovers.remove_services(str(folder.parent), check),
        "adopted": lambda: data_root.move_adopted(inventory, check),
        "data_root": lambda: data_root.remove_data_root(inventory, check),
    }
    results = {part: remove() for part, remove in removers.items() if part in params["parts"]}
    found = {part: result.found for part, result in results.items()}
    before = "".join("{0}: {1}\n".format(part, item) for part, items in found.items() for item in items)
    return {
        "changed": any(found.values()),
        "found": found,
        "left": {part: result.left for part, result in results.items()},
        "diff": {"before": before, "after": ""},
    }


def published(plan: Path) -> list[Port]:
    """The published ports of a plan; none without one."""
    workloads = read_json(plan)["workloads"] if plan.exists() else []
    return [port for workload in workloads for port in workload["ports"]]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "inventory_path": {"type": "path", "required": True},
            "parts": {
                "type": "list",
                "elements": "str",
                "choices": ["firewall", "bridges", "services", "adopted", "data_root"],
                "default": ["firewall", "bridges"],
            },
        },
        supports_check_mode=True,
    )
    try:
        result = clean(module.params, module.check_mode)
    except (CommandError, ReachError, StateError, TreeError, leftovers.ResidueError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=sentence(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
