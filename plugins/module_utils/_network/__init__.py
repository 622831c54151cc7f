# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewall and reachability: Docker's rules, ways through them, closed and open ports, probes from outside the host.

May import _host, _state and _common. Begin with iptables.py for rules and with probe.py for reachability.
"""
