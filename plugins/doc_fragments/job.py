# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules have whose work goes on by itself (module_utils/_job/)."""

from __future__ import annotations


class ModuleDocFragment:
    """The options in ARGUMENTS of _job/client.py, and what they mean for a task."""

    DOCUMENTATION = r"""
options:
  job:
    description: The job that an earlier call began and did not wait for. Meant for this module's action plugin.
    type: str
    default: ''
  wait:
    description:
      - How many seconds to wait for the end; V(0) is for as long as it takes.
      - The work goes on afterwards. Meant for this module's action plugin, which shows the progress meanwhile.
    type: float
    default: 0
attributes:
  action:
    description: Its action plugin shows the progress on the controller.
    support: full
  async:
    description: The work goes on by itself when the connection is lost, and the next call follows it.
    support: none
"""
