# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of the module of this name."""

from __future__ import annotations

from ansible_collections.podshift.docker_to_podman.plugins.plugin_utils._job_action import FollowingAction


class ActionModule(FollowingAction):
    """See the module."""
