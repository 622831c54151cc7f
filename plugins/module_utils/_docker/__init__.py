# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge to Docker: its API, the dockerds that run here, and the files of containerd's image store.

Knows no workload and no plan. May import _host and _common. Begin with api.py.
"""
