# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module docker_inventory: what Docker runs on the host, what else the host has, and what was recorded before.

May import the edges (_docker, _podman, _network, _host) and what lies below them. Begin with collect.py.
"""
