#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_inventory
short_description: Record what a Docker Engine runs
version_added: 0.1.0
author:
  - The podshift developers (@podshift)
description:
  - Reads everything that a Docker Engine runs on this host from its API socket, and how the kernel sees it,
    and records it on the host, readable for root alone.
  - Asks C(docker compose config) where Compose puts files into containers, when their Compose files are on this host.
    Nothing is fetched from elsewhere, and no contents are recorded.
  - What it returns holds no environment values. The complete record stays on the host.
  - A container that has moved to Podman keeps what was recorded while it ran in Docker.
  - A retired engine is not connected to. Its record is returned.
notes:
  - Needs root (C(become)).
attributes:
  check_mode:
    description: Can run without changing anything, and says truthfully whether it would.
    support: full
    details:
      - Where the record would differ, the new one is written to a folder for root alone below C(/run),
        so that a plan can be made from it. The state folder is not written.
  diff_mode:
    description: Returns the differences in diff mode.
    support: none
  platform:
    description: Systems that the module works on.
    support: full
    platforms: linux
options:
  socket:
    description: The API socket of the Docker Engine.
    type: path
    default: /run/docker.sock
  state_dir:
    description: The folder on the host in which the collection keeps its state.
    type: path
    default: /var/lib/docker_to_podman
seealso:
  - module: podshift.docker_to_podman.migration_plan
"""

EXAMPLES = r"""
- name: Record what Docker runs
  podshift.docker_to_podman.docker_inventory:
  register: inventory

- name: Record what a second Docker Engine runs
  podshift.docker_to_podman.docker_inventory:
    socket: /run/docker-build.sock
"""

RETURN = r"""
inventory_path:
  description:
    - The complete record on the host.
    - In check mode, where the record would differ, a copy below C(/run) that goes away with the next boot.
  returned: success
  type: str
  sample: /var/lib/docker_to_podman/5bf90e3a-7d08-4890-aaf0-a74b1d4112b5/inventory.json
state_path:
  description: The folder with the state of this engine. In check mode it may not exist yet.
  returned: success
  type: str
  sample: /var/lib/docker_to_podman/5bf90e3a-7d08-4890-aaf0-a74b1d4112b5
engine:
  description: The engine that was read.
  returned: success
  type: dict
  contains:
    id:
      description: The ID that the engine gave itself.
      type: str
    version:
      description: Its version.
      type: str
      sample: 26.1.5
retired:
  description: Whether the engine is retired, so that this is what was recorded before.
  returned: success
  type: bool
podman:
  description: Podman on this host.
  returned: success
  type: dict
  contains:
    installed:
      description: The installed version; null when there is none.
      type: str
      sample: 5.4.2
    candidate:
      description: The version that the package manager would install; null when there is none.
      type: str
      sample: 5.4.2
containers:
  description: The containers, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the container.
      type: str
      sample: blog-web-1
    id:
      description: Its ID.
      type: str
    image:
      description: The image that it was created from, as it was named.
      type: str
      sample: docker.io/library/nginx:1
    state:
      description: Its state when it was recorded.
      type: str
      sample: running
    moved:
      description: Whether it belongs to a workload that has moved to Podman.
      type: bool
workloads:
  description: The workloads that a move was ever begun of, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the workload.
      type: str
      sample: blog
    state:
      description:
        - V(docker) and V(podman) are the engine that it belongs to.
        - V(interrupted) is on its way. The host, or the next run, undoes that.
        - V(unfinished) has moved. The host, or the next run, completes that.
      type: str
      sample: podman
dockerds:
  description: Every dockerd that runs on this host, also those of other engines and the rootless ones of users.
  returned: success
  type: list
  elements: str
  sample: ["process 742 in /system.slice/docker.service"]
broken_services:
  description:
    - Services of this collection whose program has gone from the host, for example by an upgrade of the distribution.
    - Each is a warning, too.
  returned: success
  type: list
  elements: str
  sample: ["docker_to_podman-recover.service (/usr/bin/python3.11)"]
awake:
  description:
    - Containers that Docker runs although Podman owns them, because somebody started them again, with their Compose project.
    - Each is a warning, too.
  returned: when Docker is not retired
  type: list
  elements: str
  sample: ["blog-web-1 (Compose project in /srv/blog)"]
"""

from pathlib import Path
from typing import Any, Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import sentence
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker import daemons
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import (
    Docker,
    DockerError,
    listed_name,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host.processes import ProcessError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import helpers
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import recorded as _record
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory.collect import collect
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory.host_facts import (
    HostError,
    is_served,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import recovery
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan._documents.containers import COMPOSE
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.hidden import of_inventory
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman.units import UnitError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._podman.units import read as read_units
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.engine_state import (
    EngineState,
    asleep,
    container_ids,
    find_engine,
    open_engine,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import (
    SCRATCH_DIR,
    STATE_DIR,
    StateError,
    safe_name,
    write_json,
)


def inventory(socket: str, state_dir: str, check_mode: bool) -> dict[str, Any]:
    """Record the engine at ``socket``; returns the result of the module."""
    docker = Docker(socket)
    # Nobody connects to one that sleeps: its socket would wake it.
    sleeping = None if is_served(socket) else asleep(state_dir, socket)
    known = sleeping or find_engine(state_dir, str(docker.get("/info")["ID"]))
    committed = known.committed() if known else {}
    recorded = _record.read_current(known, needed=bool(committed) or known.retired) if known else None
    if known and recorded and known.retired:
        require_asleep(known, socket)
        return without_secrets(summary(recorded, known, changed=False), recorded)
    begun = recovery.under_way(known) if known else []
    document = collect(
        docker,
        recorded=recorded,
        moved=container_ids(committed).union(str(item["id"]) for record in begun for item in record["containers"]),
        owned=own_names(known, begun) if known else None,
    )
    changed = recorded is None or not _record.same(recorded, document)
    engine_id = safe_name(document["engine"]["id"])
    engine = EngineState(Path(state_dir) / engine_id) if check_mode else open_engine(state_dir, engine_id, socket)
    result = summary(document, engine, changed)
    result["awake"] = awake(docker, container_ids(committed), recorded) if committed and recorded else []
    if document != recorded:
        path = Path(SCRATCH_DIR, engine_id, "inventory.json") if check_mode else engine.inventory_path
        write_json(path, document)
        result["inventory_path"] = str(path)
    return without_secrets(result, document)


def without_secrets(result: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """The result without what is secret in the record, should a name or a folder hold it."""
    hidden = of_inventory(document, ()).telling
    return {**result, **{key: hidden.document(result[key]) for key in ("containers", "awake") if key in result}}


def require_asleep(engine: EngineState, socket: str) -> None:
    """StateError when a Docker that was retired runs again, with containers: retiring it again would end them, and its data
    could be deleted."""
    moved = container_ids(engine.committed())
    # Nobody connects to one that sleeps: its socket would wake it.
    listed = Docker(socket).get("/containers/json") if is_served(socket) else []
    twice = sorted(listed_name(item) for item in listed if item["Id"] in moved)
    if twice:
        raise StateError(
            "Docker was retired on this host, but runs again, with {0}, which has moved to Podman. Stop it there (docker "
            "stop), stop and disable docker.socket and docker.service, and run this again; rollback.yml brings it back as a "
            "whole. Nothing was changed.".format(", ".join(twice))
        )
    names = sorted(listed_name(item) for item in listed)
    if names:
        raise StateError(
            "Docker was retired on this host, but runs again, with {0}. If it shall stay, remove {1} and run this again; "
            "otherwise stop and disable it (docker.socket, docker.service). Nothing was changed.".format(
                ", ".join(names), engine.retired_path
            )
        )


def awake(docker: Docker, moved: set[str], recorded: dict[str, Any]) -> list[str]:
    """What Docker runs although Podman owns it, and the project that it was started from; also what docker compose up has
    created again under another ID."""
    ours = [item for item in recorded["containers"] if item["Id"] in moved]
    names = {item["Name"].lstrip("/") for item in ours}
    services = {_service(item["Config"].get("Labels")) for item in ours} - {None}
    found = []
    for item in docker.get("/containers/json"):
        labels = item.get("Labels") or {}
        is_moved = item["Id"] in moved or listed_name(item) in names or _service(labels) in services
        if is_moved and item.get("State") == "running":
            folder = labels.get(COMPOSE + "project.working_dir")
            found.append(
                "{0} (Compose project in {1})".format(listed_name(item), folder) if folder else listed_name(item)
            )
    return sorted(found)


def _service(labels: dict[str, Any] | None) -> tuple[str, str] | None:
    """Project and service of Compose; None for what Compose did not create."""
    project, service = ((labels or {}).get(COMPOSE + key) for key in ("project", "service"))
    return (str(project), str(service)) if project and service else None


def own_names(engine: EngineState, begun: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What on this host comes from the engine's workloads: by their journals, because a later plan may lack them. ``begun``:
    the records of those on their way."""
    installed = read_units([unit for record in begun for unit in record["units"]])
    return _record.owned(recovery.moved(engine), begun, installed)


def summary(document: dict[str, Any], engine: EngineState, changed: bool) -> dict[str, Any]:
    """What may leave the host: no environment values."""
    moved = container_ids(engine.committed())
    podman = document.get("host", {}).get("podman", {})
    return {
        "changed": changed,
        "inventory_path": str(engine.inventory_path),
        "state_path": str(engine.root),
        "engine": {
            "id": document["engine"]["id"],
            "version": document["engine"].get("version", {}).get("Version"),
        },
        "retired": engine.retired,
        "podman": {key: podman.get(key) for key in ("installed", "candidate")},
        "containers": [
            {
                "name": item["Name"].lstrip("/"),
                "id": item["Id"],
                "image": item["Config"].get("Image"),
                "state": item["State"].get("Status"),
                "moved": item["Id"] in moved,
            }
            for item in document["containers"]
        ],
        "dockerds": [str(one) for one in daemons.running()],
        "broken_services": helpers.broken(),
        "workloads": [{"name": name, "state": recovery.state(engine.journal(name))} for name in engine.journals()],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "default": "/run/docker.sock"},
            "state_dir": {"type": "path", "default": STATE_DIR},
        },
        supports_check_mode=True,
    )
    try:
        result = inventory(module.params["socket"], module.params["state_dir"], module.check_mode)
    except (CommandError, DockerError, HostError, ProcessError, StateError, UnitError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=sentence(error))
    for name in result.get("awake", []):
        module.warn("Docker runs {0} although it has moved to Podman; stop it there (docker stop).".format(name))
    for name in result["broken_services"]:
        module.warn(
            "{0} cannot start, because its program has gone; run migrate.yml, which writes it anew.".format(name)
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
