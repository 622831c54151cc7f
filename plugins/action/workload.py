# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of the module of this name, and looks from the controller at the ports of what has moved."""

from __future__ import annotations

from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils import _port_check as port_check
from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils._job_action import FollowingAction


class ActionModule(FollowingAction):
    """See the module."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of the module; failed while a port that answered the controller before does not any more."""
        name = "" if self._connection.transport == "local" else port_check.host(self._host(task_vars or {}))
        follow = super().run
        is_forward = self._task.args.get("engine", "podman") == "podman"
        if not name:
            return port_check.unseen(follow(tmp, task_vars), is_forward)
        calls = port_check.Calls(
            lambda: self._call(task_vars, check=True),
            lambda: follow(tmp, task_vars),
            lambda ports: self._call(task_vars, unreached=ports),
        )
        return port_check.watched(name, is_forward, self._task.check_mode, calls)

    def _host(self, task_vars: dict[str, Any]) -> str:
        # Ansible hands variables over as they were written.
        name = task_vars.get("ansible_host") or task_vars.get("inventory_hostname") or ""
        return str(self._templar.template(name))

    def _call(self, task_vars: dict[str, Any] | None, check: bool = False, **more: Any) -> dict[str, Any]:
        is_check, self._task.check_mode = self._task.check_mode, check
        try:
            return dict(self._execute_module(module_args={**self._task.args, **more}, task_vars=task_vars))
        finally:
            self._task.check_mode = is_check
