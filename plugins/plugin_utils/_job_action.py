# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show on the controller how far long work on a host is."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.progress import line

# Between two lines about one host; each takes a call of the module.
_SECONDS = 10


class FollowingAction(ActionBase):  # type: ignore[misc]
    """Calls the module of the same name until its work is done; see module_utils/_job for what goes on in between."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Once in check mode; otherwise with a line of progress every few seconds."""
        super().run(tmp, task_vars)
        given = {"wait": _SECONDS, **self._task.args}
        while True:
            answer: dict[str, Any] = self._execute_module(module_args=given, task_vars=task_vars)
            if answer.get("finished", True):
                answer.get("invocation", {}).get("module_args", {}).update(job="")
                return answer
            given["job"] = answer["job"]
            if answer.get("progress"):
                host = (task_vars or {}).get("inventory_hostname", "")
                Display().display("[{0}] {1}".format(host, line(answer["progress"])))
