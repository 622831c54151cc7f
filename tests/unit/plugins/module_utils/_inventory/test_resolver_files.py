# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations that name Docker's name server are found, whatever else a container has put beside them."""

from __future__ import annotations

import os

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import bind_sources, resolver_files

NAMES_IT = "resolver 127.0.0.11 valid=10s;\n"


def test_a_file_and_what_is_below_a_folder(tmp_path):
    (tmp_path / "conf.d").mkdir()
    for name, text in (
        ("nginx.conf", NAMES_IT),
        ("conf.d/site.conf", "server db 127.0.0.11:53\n"),
        ("other.conf", "127.0.0.110 1.127.0.0.11"),
    ):
        (tmp_path / name).write_text(text)
    (tmp_path / "image.bin").write_bytes(b"\0" + NAMES_IT.encode())
    (tmp_path / "large.log").write_text(NAMES_IT + "x" * 300000)
    found = [str(tmp_path / name) for name in ("nginx.conf", "conf.d/site.conf")]
    assert resolver_files.look(str(tmp_path)) == found
    assert resolver_files.look(found[0]) == found[:1]
    assert bind_sources.look([str(tmp_path), str(tmp_path / "other.conf")]) == {
        str(tmp_path): {"type": "folder", "real": str(tmp_path), "resolver": found},
        str(tmp_path / "other.conf"): {"type": "file", "real": str(tmp_path / "other.conf")},
    }


def test_nothing_else_is_opened_or_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.conf").write_text(NAMES_IT)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "file").symlink_to(outside / "secret.conf")
    os.mkfifo(inside / "pipe")
    (inside / "a\nb").write_text(NAMES_IT)
    os.mkdir(os.fsencode(inside) + b"/\xff")
    assert resolver_files.look(str(inside)) == []
    assert resolver_files.look(str(inside / "gone")) == []


def test_a_large_tree_is_not_read_to_its_end(tmp_path):
    for number in range(600):
        (tmp_path / f"{number:04}.conf").write_text(NAMES_IT if number in range(3, 600, 40) else "")
    found = resolver_files.look(str(tmp_path))
    assert len(found) == 10
    assert found[0] == str(tmp_path / "0003.conf")
