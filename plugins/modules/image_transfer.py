#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_transfer
version_added: "0.1.0"
short_description: Copy the images of a plan from Docker to Podman
description:
  - Brings every image that a plan needs into Podman's storage, read from Docker by ID, so that the very image a
    container was made of arrives, even when its tag has moved on.
  - What Podman already has is not copied again. Each image is verified to have the same ID afterwards.
  - Images that only committed workloads use are left alone, because Docker may be gone by then.
author:
  - The podshift developers (@podshift)
extends_documentation_fragment: podshift.docker_to_podman.job
options:
  plan_path:
    description: The plan that M(podshift.docker_to_podman.migration_plan) wrote.
    type: path
    required: true
  socket:
    description: The socket of the Docker Engine. It is not used while Podman has all images.
    type: path
    default: /run/docker.sock
  state_dir:
    description: Where the records of all engines lie, for a plan that does not lie there itself.
    type: path
    default: /var/lib/docker_to_podman
  tmpdir:
    description:
      - An existing folder for temporary files.
      - It takes the layers of images that share some, each once, and what of them is under way; the need is computed
        and compared with what is free before anything is copied.
    type: path
    default: /var/tmp
  source:
    description:
      - Where the images come from.
      - V(docker) copies what Docker has.
      - V(registry) pulls an image by its digest where its registry still has that very image, and copies Docker's
        otherwise.
      - A registry is reached through the proxies of the task's C(environment) (C(https_proxy), C(no_proxy), …).
    type: str
    choices: [docker, registry]
    default: docker
requirements:
  - podman
  - skopeo
attributes:
  check_mode:
    description: Says which images would be copied; all of them while Podman is not installed.
    support: full
  diff_mode:
    description: The list of images is the difference.
    support: none
  platform:
    description: Linux hosts with Docker.
    support: full
    platforms: linux
"""

EXAMPLES = r"""
- name: Bring the images
  podshift.docker_to_podman.image_transfer:
    plan_path: "{{ plan.plan_path }}"
"""

RETURN = r"""
finished:
  description: Whether the work is done; it is V(false) only when O(wait) ended first.
  returned: success, not in check mode
  type: bool
images:
  description: Each image of the plan.
  returned: success
  type: list
  elements: dict
  contains:
    source_id:
      description: Docker's ID of the image.
      type: str
      sample: sha256:5d0da3dc976460b72c77d94c8a1ad043720b0416bfc16c52c45d4847e53fadb6
    names:
      description: Its fully qualified names.
      type: list
      elements: str
      sample: [docker.io/library/redis:7]
    action:
      description: >-
        V(present), V(copied), V(pulled), V(tagged) (Podman had it under fewer names), V(would-copy) and V(would-tag)
        in check mode, or V(skipped) (only committed workloads use it).
      type: str
    seconds:
      description: How long it took.
      type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job.client import ARGUMENTS, JobError, call
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import STATE_DIR


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan_path": {"type": "path", "required": True},
            "socket": {"type": "path", "default": "/run/docker.sock"},
            "state_dir": {"type": "path", "default": STATE_DIR},
            "tmpdir": {"type": "path", "default": "/var/tmp"},
            "source": {"type": "str", "choices": ["docker", "registry"], "default": "docker"},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**call("images", module.params, module.check_mode))
    except JobError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
