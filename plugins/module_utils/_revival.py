# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A retired Docker brought back, beside the workloads that stay on Podman (private to the collection)."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.plugins.module_utils import _helper as helper
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._command import run
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host_state import EngineState, sync_folder
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._units import services

# The socket last: with it, whoever asks Docker something would start the service before its turn.
_UNITS = ("docker.service", "docker.socket")


def revive(engine: EngineState) -> bool:
    """Unmask, enable and start a retired Docker; False when it was not retired."""
    if not engine.retired:
        return False
    run(["systemctl", "unmask", "--quiet", *_UNITS])
    there = [name for name in _UNITS if services([name])[name].load == "loaded"]
    run(["systemctl", "enable", "--quiet", *there])
    run(["systemctl", "start", *there])
    # Not before: an interrupted revival begins anew.
    engine.retired_path.unlink()
    sync_folder(engine.root)
    helper.coexist(engine)
    return True
