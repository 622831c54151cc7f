# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A retired Docker brought back, beside the workloads that stay on Podman (private to the collection)."""

from __future__ import annotations

from .._common.command import run
from .._common.files import sync_folder
from .._network import user_rules
from .._podman.units import services
from .._state.engine_state import EngineState
from .._state.records import StateError
from . import guard

# The socket last: with it, whoever asks Docker something would start the service before its turn.
_UNITS = ("docker.service", "docker.socket")


def require_installed() -> None:
    """StateError when Docker's units have gone from the host. Reads only; those that are masked may have gone all the same."""
    if all(service.load == "not-found" for service in services(_UNITS).values()):
        raise StateError(
            "This host has neither docker.service nor docker.socket any more (remove_docker.yml removes them), so there is no "
            "way back to Docker. Nothing was changed."
        )


def revive(engine: EngineState) -> None:
    """Unmask, enable and start a retired Docker. StateError when it has gone."""
    run(["systemctl", "unmask", "--quiet", *_UNITS])
    require_installed()
    units = services(_UNITS)
    there = [name for name in _UNITS if units[name].load == "loaded"]
    run(["systemctl", "enable", "--quiet", *there])
    run(["systemctl", "start", *there])
    user_rules.give_back(engine.root)
    # Not before: an interrupted revival begins anew.
    engine.retired_path.unlink()
    sync_folder(engine.root)
    guard.coexist(engine)
