# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge to Podman and to the systemd units that Quadlet makes: images, volumes, unit files, services.

Knows no workload and no plan. May import _state and _common. Begin with units.py.
"""
