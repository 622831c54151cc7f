# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows only: every path of Docker's documents, and every option of Podman with its first version.

../fields.py and ../unit_file.py say how rows are read. Begin with container_fields.py.
"""
