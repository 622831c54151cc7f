# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure core: from an inventory to a plan, without input or output and without Ansible.

Imports itself and _common. Begin with translate.py; a row of a table is in _tables, a subject in _topics.
"""
