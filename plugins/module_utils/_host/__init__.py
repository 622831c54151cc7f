# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as the kernel shows it: processes and their sockets, control groups, mounts, bridges.

May import _plan, _state and _common. Begin with processes.py.
"""
