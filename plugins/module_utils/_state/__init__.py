# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept on the target and survives the process: the records of an engine, the journals, who owns a workload.

May import _common. Begin with engine_state.py, whose docstring shows the folder.
"""
