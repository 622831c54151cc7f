# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module docker_residue: what a stopped dockerd leaves behind, and how it goes.

May import _move and everything below it. Begin with leftovers.py.
"""
