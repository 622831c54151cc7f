# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module volume_transfer: Docker's volumes into Podman's, while Docker serves.

May import _podman, _trees and what lies below them. Begin with transfer.py for the module, and with rounds.py for one volume.
"""
