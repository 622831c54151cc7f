# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module workload: the order in which one workload moves, what is undone, and what follows a crash.

May import _workload and everything below it. Begin with cutover.py, which reads as the order of the work, and with
transaction.py, which says what a step is.
"""
