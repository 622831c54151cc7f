# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of the module of this name, and looks from the controller at the ports of what has moved."""

from __future__ import annotations

from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils import _seen as seen
from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils._follow import FollowingAction


class ActionModule(FollowingAction):
    """See the module."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of the module; failed when a port that answered the controller before does not any more."""
        name = "" if self._connection.transport == "local" else seen.host(self._host(task_vars or {}))
        if not name or self._task.check_mode:
            return super().run(tmp, task_vars)
        answered = seen.answering(seen.targets(self._ports(task_vars), name))
        answer = super().run(tmp, task_vars)
        return seen.judged(answer, answered)

    def _host(self, task_vars: dict[str, Any]) -> str:
        # Ansible hands variables over as they were written.
        name = task_vars.get("ansible_host") or task_vars.get("inventory_hostname") or ""
        return str(self._templar.template(name))

    def _ports(self, task_vars: dict[str, Any] | None) -> list[seen.Port]:
        """The ports of what would move."""
        self._task.check_mode = True
        try:
            answer = self._execute_module(module_args=dict(self._task.args), task_vars=task_vars)
        finally:
            self._task.check_mode = False
        return [port for item in answer.get("workloads", []) if item["changed"] for port in item["ports"]]
