# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ground: what every room needs and what knows no engine, such as errors, running a program, and durable files.

Imports no other room. Begin with errors.py and command.py.
"""
