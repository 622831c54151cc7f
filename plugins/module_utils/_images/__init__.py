# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module image_transfer: Docker's images into Podman's storage.

May import _docker, _podman, _trees and what lies below them. Begin with transfer.py.
"""
