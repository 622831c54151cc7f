# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error of a move (private to the collection)."""

from __future__ import annotations


class MoveError(Exception):
    """A workload cannot be moved, or is not ready where it was moved to. The message says what to do."""
