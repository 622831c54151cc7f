# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs have deadlines, and what was ended does not go on behind one's back. All of them are real ones."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import command, deadlines, families
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import (
    CommandError,
    CommandTimeout,
    run,
    watch,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.deadlines import Deadline
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.parallel import each

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"


@pytest.fixture
def late(tmp_path):
    """A file that a program writes when it wakes up."""
    return tmp_path / "late"


def shell(script):
    return ["sh", "-c", script]


@pytest.mark.parametrize(
    "script",
    [
        "sleep 3; touch {0}",
        "(sleep 3; touch {0}) & wait",
        "trap '' TERM INT HUP; sleep 3; touch {0}",
        "setsid -w sh -c 'sleep 3; touch {0}'",
        # It has ended itself, and what it has started holds its output.
        "(sleep 3; touch {0}) & exit 0",
    ],
    ids=["itself", "its child", "deaf", "in another session", "its orphan"],
)
def test_what_takes_too_long_is_ended_with_all_that_it_started(late, script):
    began = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"^sh did not finish within 0 s\.$"):
        run(shell(script.format(late)), timeout=0.2)
    assert time.monotonic() - began < 2.5
    assert families.left() == []
    time.sleep(3.2)
    assert not late.exists()


def test_what_cannot_be_ended_is_not_waited_for_and_told_until_it_has(monkeypatch):
    monkeypatch.setattr(families, "_GRACE", 0.1)
    with monkeypatch.context() as stuck:
        stuck.setattr(families.os, "kill", lambda _pid, _signal: None)
        began = time.monotonic()
        with pytest.raises(CommandTimeout):
            run(["sleep", "60"], timeout=0.1)
        assert time.monotonic() - began < 2
    (sentence,) = families.left()
    assert sentence.startswith("sleep (process ")
    os.kill(int(sentence.split()[-1].rstrip(")")), signal.SIGKILL)
    while families.left():
        time.sleep(0.01)


def test_what_is_interrupted_ends_what_it_waits_for(late, monkeypatch):
    class Interrupted(Exception):
        pass

    def interrupt(_self, _given, _timeout):
        raise Interrupted

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupt)
    with pytest.raises(Interrupted):
        run(shell("sleep 0.5; touch {0}".format(late)))
    time.sleep(0.8)
    assert not late.exists()


def test_input_output_and_exit_code():
    text = "x" * 300000
    assert run(["cat"], input=text).stdout == text
    assert run(shell("echo out; echo err >&2; exit 3"), check=False) == (3, "out\n", "err\n")
    with pytest.raises(CommandError, match=r"^'sh -c' failed with exit code 3: err$"):
        run(shell("echo err >&2; exit 3"))
    with pytest.raises(CommandError, match="not installed"):
        run(["/nowhere/at-all"])


def test_lines_are_seen_at_once():
    seen = []
    done = watch(
        shell(r"printf 'a\rb\n'; sleep 0.3; printf 'c'; echo err >&2; exit 5"),
        lambda line: seen.append((line, time.monotonic())),
    )
    assert [line for line, _moment in seen] == ["a", "b", "c"]
    assert seen[2][1] - seen[1][1] > 0.2
    assert (done.rc, done.stderr) == (5, "err\n")


@pytest.mark.parametrize("how", [watch, run])
def test_what_depends_on_the_data_may_take_as_long_as_it_does_something(monkeypatch, how):
    monkeypatch.setattr(deadlines, "ROWS", [((), Deadline(0.5, True), "")])
    monkeypatch.setattr(command, "_LOOK", 0.05)
    given = [lambda _line: None] if how is watch else []
    assert how(shell("for n in 1 2 3 4 5 6; do sleep 0.2; done"), *given).rc == 0
    began = time.monotonic()
    with pytest.raises(CommandTimeout, match="sh has done nothing for 0 s"):
        how(shell("sleep 30"), *given)
    assert time.monotonic() - began < 3


def test_the_longest_row_decides():
    assert deadlines.of(["/usr/bin/systemctl", "start", "--", "a.service"]) == Deadline(600)
    assert deadlines.of(["systemctl", "start", "--no-block", "--", "a.service"]) == Deadline(30)
    assert deadlines.of(["podman", "network", "exists", "a"]) == Deadline(60)
    assert deadlines.of(["rsync", "-a"]) == Deadline(300, True)
    assert deadlines.of(["unheard-of"]) == Deadline(120)


def test_nothing_is_waited_for_longer_than_the_caller_may_wait():
    with deadlines.within(20):
        assert deadlines.of(["podman", "ps"]).seconds < 20.1
        assert deadlines.of(["rsync"]).is_idle is False
        assert deadlines.of(["ip", "link"]).seconds == 10
        assert each(deadlines.capped, [60, 5])[1] == 5
        assert each(deadlines.capped, [60, 5])[0] < 20.1
        with deadlines.within(60):
            assert deadlines.capped(60) < 20.1
    assert deadlines.capped(60) == 60
    with deadlines.within(-1):
        assert (deadlines.over(), deadlines.capped(60)) == (True, 1)
    assert not deadlines.over()


def programs():
    """Every program that a file of the plugins runs by a literal list."""
    for path in (path for path in PLUGINS.rglob("*.py") if "_plan" not in path.parts):
        for node in ast.walk(ast.parse(path.read_text())):
            is_call = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("run", "_try", "_json", "watch")
            first = node.args[0] if is_call and node.args else None
            if isinstance(first, ast.List) and isinstance(first.elts[0], ast.Constant):
                yield path.name, first.elts[0].value, {keyword.arg for keyword in node.keywords}


def test_every_program_has_a_row():
    listed = {row[0][0] for row in deadlines.ROWS if row[0]}
    without = {
        (name, program) for name, program, words in programs() if program not in listed and "timeout" not in words
    }
    assert without == set()


def test_the_rows_are_in_the_documentation():
    text = (PLUGINS.parent / "docs" / "reliability.md").read_text()
    for words, deadline, why in deadlines.ROWS:
        name = "`{0}`".format(" ".join(words)) if words else "any other"
        seconds = "{0:g}{1}".format(deadline.seconds, ", idle" if deadline.is_idle else "")
        assert "\n| {0} | {1} | {2} |\n".format(name, seconds, why) in text


WAITS = """
import signal, sys, time
print(1, flush=True)
signal.signal(signal.SIGCHLD, lambda *_given: sys.exit(7))
time.sleep({0})
"""


@pytest.mark.parametrize(("nudge", "seconds", "rc"), [(0.05, 60, 7), (0, 0.2, 0), (60, 0.2, 0)])
def test_a_nudge_ends_what_it_waits_for(nudge, seconds, rc):
    seen = []
    assert watch([sys.executable, "-c", WAITS.format(seconds)], seen.append, nudge).rc == rc
    assert seen == ["1"]


def test_who_has_no_handler_goes_on():
    assert watch(["sleep", "0.3"], print, 0.05).rc == 0
