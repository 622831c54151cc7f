# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading Docker's documents: names, labels, state, images, the inventory by name, settings of the daemon.

Here nothing is decided about Podman. Begin with containers.py.
"""
