# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File trees: exact copies, clones, comparisons, and the layers of a container's own file system.

The owner of a tree can change any name in it at any time. Work that goes by names runs in mount_namespace.py; all other work
goes by open folders (beneath.py). Knows no volume and no engine. May import _state and _common. Begin with rsync.py.
"""
