# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of the module of this name, and looks from the controller at the ports of what has moved."""

from __future__ import annotations

from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils import _seen as seen
from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils._follow import FollowingAction

# How long a port may take from its opening on the host to its first answer here.
_PATIENCE = 10.0


class ActionModule(FollowingAction):
    """See the module."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of the module; failed when a port that answered the controller before does not any more."""
        name = "" if self._connection.transport == "local" else seen.host(task_vars or {})
        if not name or self._task.check_mode:
            return super().run(tmp, task_vars)
        answered = seen.answering(seen.targets(self._ports(task_vars), name))
        answer = super().run(tmp, task_vars)
        moved = {port["container"] for item in _moved(answer) for port in item["ports"]}
        wanted = [item for item in answered if item[1]["container"] in moved]
        still = seen.answering(wanted, _PATIENCE)
        lost = [
            "{0} of {1}".format(port["host_port"], port["container"])
            for address, port in wanted
            if (address, port) not in still
        ]
        if lost:
            said = (
                "It moved, and on the host all published ports are open. The controller does not reach port {0} any more, as "
                "it did before. Look at what filters between them, or bring it back.".format(", ".join(lost))
            )
            answer.update(failed=True, msg="\n".join(filter(None, [answer.get("msg"), said])))
        return answer

    def _ports(self, task_vars: dict[str, Any] | None) -> list[seen.Port]:
        """The ports of what would move."""
        self._task.check_mode = True
        try:
            answer = self._execute_module(module_args=dict(self._task.args), task_vars=task_vars)
        finally:
            self._task.check_mode = False
        return [port for item in answer.get("workloads", []) if item["changed"] for port in item["ports"]]


def _moved(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in answer.get("workloads", []) if item["changed"] and item["state"] == "committed"]
