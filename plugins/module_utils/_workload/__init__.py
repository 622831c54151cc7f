# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One workload: its containers in Docker, its services on Podman, whether it is ready.

Says nothing of the order; that is _move. May import _images, _volumes, _network, the edges and what lies below them.
Begin with precheck.py, which makes the record that everything else goes by.
"""
