# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal after a power cut: what was acknowledged is read, and what was cut off is not."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import (
    append_journal,
    read_journal,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError

TAILS = [b"", b'{"torn', b"\0\0\0\0", b"\xff\xfe\x80", '{"x":"ä'.encode()[:-1]]


def event(step):
    return {"event": "do", "step": step, "data": {}, "time": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("tail", TAILS)
def test_a_torn_last_line_was_never_acknowledged(tmp_path, tail):
    path = tmp_path / "blog.jsonl"
    append_journal(path, event("one"))
    with path.open("ab") as stream:
        stream.write(tail)
    assert [item["step"] for item in read_journal(path)] == ["one"]
    append_journal(path, event("two"))
    assert [item["step"] for item in read_journal(path)] == ["one", "two"]


@pytest.mark.parametrize("tail", TAILS[1:])
def test_any_other_damaged_line_is_named(tmp_path, tail):
    path = tmp_path / "blog.jsonl"
    append_journal(path, event("one"))
    whole = path.read_bytes()
    path.write_bytes(whole + tail + b"\n" + whole)
    with pytest.raises(StateError, match=r"blog.jsonl, line 2, is damaged"):
        read_journal(path)
