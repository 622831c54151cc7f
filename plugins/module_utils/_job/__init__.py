# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work as a service on the target, which a module starts and follows.

May import _move and everything below it. Begin with client.py for the module's side, and with entry_point.py for the service.
"""
