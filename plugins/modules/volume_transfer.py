#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_transfer
version_added: "0.1.0"
short_description: Copy the volumes of a plan from Docker to Podman
description:
  - Creates the Podman volumes of a plan, with labels and driver options, and makes their content an exact copy of
    Docker's, to be repeated as often as wanted while the application runs; later rounds copy what changed.
  - Docker's volumes are only read. Volumes of committed workloads belong to Podman and are never touched. A Podman
    volume that this module did not make from the same Docker volume is refused, also when it is empty.
  - Where the file system can (XFS with reflink, Btrfs) and both engines keep their data on it, the first round clones the
    files, which takes no room until one of both changes. It is compared as every other.
  - A volume of the strategy V(adopt) (see M(podshift.docker_to_podman.migration_plan)) is used where Docker has it, and
    gets a link beside Docker's data root. Nothing is copied, then or at the cutover.
  - Of a volume whose data lies elsewhere (nfs, tmpfs, bind) only the definition moves.
author:
  - The podshift developers (@podshift)
extends_documentation_fragment: podshift.docker_to_podman.job
options:
  plan_path:
    description: The plan that M(podshift.docker_to_podman.migration_plan) wrote.
    type: path
    required: true
  workloads:
    description: Names of the workloads whose volumes are transferred; none means all.
    type: list
    elements: str
    default: []
  state_dir:
    description: Where the records of all engines lie, for a plan that does not lie there itself.
    type: path
    default: /var/lib/docker_to_podman
  max_downtime:
    description:
      - How many seconds a workload may be down while its volumes are brought up to date.
      - Rounds are made until one is as short as that, because the final one will take as long as the last of them, or
        until they get no shorter.
    type: float
    default: 60
  when_longer:
    description:
      - What is done when no round gets as short as O(max_downtime).
      - V(go) goes on all the same, V(stop) is an error with the figures.
      - V(wait) makes more rounds, a minute apart, for up to O(wait_for) seconds.
    type: str
    choices: [go, wait, stop]
    default: stop
  wait_for:
    description: How many seconds V(wait) is meant for.
    type: float
    default: 3600
requirements:
  - podman
  - rsync >= 3.1.3
attributes:
  check_mode:
    description: Counts what would be copied; says only that it would while Podman is not installed.
    support: full
  diff_mode:
    description: The list of volumes is the difference.
    support: none
  platform:
    description: Linux hosts with Docker.
    support: full
    platforms: linux
"""

EXAMPLES = r"""
- name: Copy the volumes while the application runs
  podshift.docker_to_podman.volume_transfer:
    plan_path: "{{ plan.plan_path }}"
"""

RETURN = r"""
finished:
  description: Whether the work is done; it is V(false) only when O(wait) ended first.
  returned: success, not in check mode
  type: bool
volumes:
  description: Each volume of the plan.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Podman's name of the volume.
      type: str
      sample: blog_dbdata
    action:
      description: >-
        V(copied), V(unchanged), V(created) (only its definition), V(adopted), V(would-copy), V(would-create) and
        V(would-adopt) in check mode, or V(skipped) (its workload is committed).
      type: str
    rounds:
      description:
        - Each round with its V(files), V(bytes), how many of the bytes were V(cloned), and V(seconds).
        - The next one takes about as long as the last, unless that one cloned.
      type: list
      elements: dict
      sample:
        - {files: 1893, bytes: 47185920, cloned: 0, seconds: 2.31}
        - {files: 4, bytes: 1048576, cloned: 0, seconds: 0.35}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job.client import ARGUMENTS, JobError, call
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import STATE_DIR


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan_path": {"type": "path", "required": True},
            "workloads": {"type": "list", "elements": "str", "default": []},
            "state_dir": {"type": "path", "default": STATE_DIR},
            "max_downtime": {"type": "float", "default": 60},
            "when_longer": {"type": "str", "choices": ["go", "wait", "stop"], "default": "stop"},
            "wait_for": {"type": "float", "default": 3600},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**call("volumes", module.params, module.check_mode))
    except JobError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
