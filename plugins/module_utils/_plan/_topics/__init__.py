# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file a topic: what settings() makes of it for Podman, and what findings() tells the user about it.

May import _documents and _tables, and the files of other topics. Begin with the topic; process.py is a short one.
"""
