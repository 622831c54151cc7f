# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction ends on one side or the other, whatever fails and whenever it is cut off."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.transaction import (
    RolledBack,
    Step,
    Transaction,
    Unfinished,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state import journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import read_journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError

NAMES = ["one", "two", "three"]


class PowerCut(BaseException):
    """Ends everything at once: nothing of ours may catch it."""


class World:
    """What steps change. ``broken`` actions fail, at ``cut`` the power goes off."""

    def __init__(self) -> None:
        self.here: list[str] = []
        self.broken: set[str] = set()
        self.cut = ""
        self.log: list[str] = []

    def act(self, action: str, name: str) -> None:
        self.log.append(action + " " + name)
        if self.cut == action + " before " + name:
            raise PowerCut
        if action + " " + name in self.broken:
            raise StateError(name + " did not work.")
        if action == "do":
            self.here.append(name)
        elif name in self.here:
            self.here.remove(name)
        if self.cut == action + " after " + name:
            raise PowerCut

    def step(self, name: str) -> Step:
        def do(_notes):
            self.act("do", name)
            return {"from": name}

        def undo(notes):
            # Its own note is missing when it was cut off; those of the steps before it are there.
            assert name in ("one", "back") or notes["one"] == {"from": "one"}
            self.act("undo", name)

        return Step(name, lambda _notes: name in self.here, do, undo)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def begin(world, tmp_path):
    def make():
        before, after = [world.step(name) for name in NAMES], [world.step("enable")]
        return Transaction(tmp_path / "journal" / "blog.jsonl", "hash", journal.PODMAN, before, after)

    return make


@pytest.fixture
def standing(tmp_path):
    """Where the journal says the workload stands: its owner, and the goal of an interrupted attempt."""

    def look():
        events = read_journal(tmp_path / "journal" / "blog.jsonl")
        return journal.owner(events), journal.interrupted(events)

    return look


def commit(_notes):
    return {"containers": ["c0ffee"]}


def test_all_goes_well(world, begin):
    run = begin()
    assert run.pending({}) == [*NAMES, "enable"]
    run.run(commit)
    assert world.here == [*NAMES, "enable"]
    assert [step.name for step in run.ran] == world.here
    assert begin().pending({}) == []


def test_the_journal_tells_the_story(world, begin, tmp_path):
    begin().run(commit)
    events = read_journal(tmp_path / "journal" / "blog.jsonl")
    expected = [("begin", "begin")] + [(event, name) for name in NAMES for event in ("do", "done")]
    expected += [("commit", "commit"), ("do", "enable"), ("done", "enable")]
    assert [(event["event"], event["step"]) for event in events] == expected
    assert events[7]["data"] == {"goal": "podman", **commit({})}
    assert {event["plan"] for event in events} == {"hash"}


@pytest.mark.parametrize("failing", NAMES)
def test_a_failure_is_undone_from_the_failing_step_on(world, begin, failing):
    world.broken = {"do " + failing}
    with pytest.raises(RolledBack, match=failing + " did not work.") as error:
        begin().run(commit)
    assert error.value.failures == []
    assert world.here == []
    begun = NAMES[: NAMES.index(failing) + 1]
    assert world.log[len(begun) :] == ["undo " + name for name in reversed(begun)]
    world.broken = set()
    begin().run(commit)
    assert world.here == [*NAMES, "enable"]


def test_what_was_so_before_is_not_undone(world, begin):
    world.here = ["two"]
    world.broken = {"do three"}
    with pytest.raises(RolledBack):
        begin().run(commit)
    assert world.here == ["two"]


def test_a_failing_undo_does_not_keep_the_others_back_and_is_tried_again(world, begin, standing):
    world.broken = {"do three", "undo two"}
    with pytest.raises(RolledBack) as error:
        begin().run(commit)
    assert error.value.failures == ["two: two did not work."]
    assert world.here == ["two"]
    assert standing() == ("docker", "podman")
    world.broken, world.log = set(), []
    assert begin().undo("again") == []
    assert world.log == ["undo two"]
    assert standing() == ("docker", "")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", NAMES)
def test_after_a_power_cut_before_the_commit_everything_is_undone(world, begin, standing, name, moment):
    world.cut = "do {0} {1}".format(moment, name)
    with pytest.raises(PowerCut):
        begin().run(commit)
    world.cut = ""
    assert standing() == ("docker", "podman")
    assert begin().undo("the power was cut") == []
    assert world.here == []
    assert standing() == ("docker", "")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", NAMES)
def test_after_a_power_cut_in_the_way_back_the_way_back_goes_on(world, begin, name, moment):
    world.broken, world.cut = {"do three"}, "undo {0} {1}".format(moment, name)
    with pytest.raises(PowerCut):
        begin().run(commit)
    world.cut = ""
    assert begin().undo("the power was cut") == []
    assert world.here == []


def test_after_the_commit_there_is_only_forward(world, begin, standing):
    world.broken = {"do enable"}
    with pytest.raises(Unfinished, match="enable did not work."):
        begin().run(commit)
    assert world.here == NAMES
    assert standing() == ("podman", "")
    with pytest.raises(ValueError, match="not undone"):
        begin().undo("no")
    world.broken, world.log = set(), []
    assert begin().pending({}) == ["enable"]
    begin().run(commit)
    assert world.log == ["do enable"]


def test_a_full_disk_does_not_keep_the_application_from_coming_back(world, begin, monkeypatch):
    def full(path, event):
        if event["event"] in ("done", "undo", "undone", "rollback"):
            raise OSError(28, "No space left on device")
        with open(str(path), "a") as stream:
            stream.write(json.dumps({"format": 1, **event}) + "\n")

    monkeypatch.setattr(transaction, "append_journal", full)
    journal = begin()
    journal._journal.parent.mkdir()
    with pytest.raises(RolledBack, match="No space left") as error:
        journal.run(commit)
    assert world.here == []
    assert len(error.value.failures) == 2


def test_an_error_of_ours_is_a_sentence_and_others_carry_their_type():
    assert transaction.explain(StateError("Do this.")) == "Do this."
    assert transaction.explain(KeyError("x")) == "KeyError: 'x'"


def test_there_and_back_again_in_one_journal(world, begin, standing, tmp_path):
    begin().run(commit)
    back = Transaction(
        tmp_path / "journal" / "blog.jsonl", "hash", "docker", [world.step("back")], [world.step("tidy")]
    )
    world.broken = {"do back"}
    with pytest.raises(RolledBack):
        back.run(commit)
    assert standing() == ("podman", "")
    assert begin().pending({}) == []
    world.broken = set()
    back.run(commit)
    assert standing() == ("docker", "")
    assert back.pending({}) == []
    world.here = []
    begin().run(commit)
    assert standing() == ("podman", "")


def test_an_interrupted_attempt_is_not_run_over(world, begin):
    world.cut = "do after two"
    with pytest.raises(PowerCut):
        begin().run(commit)
    with pytest.raises(ValueError, match="undone first"):
        begin().run(commit)


def test_a_commit_that_is_on_the_disk_counts_whatever_was_said_of_it(world, begin, standing, monkeypatch):
    append = transaction.append_journal

    def written_but_refused(path, event):
        append(path, event)
        if event["event"] == "commit":
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(transaction, "append_journal", written_but_refused)
    with pytest.raises(Unfinished):
        begin().run(commit)
    assert (world.here, standing()) == (NAMES, ("podman", ""))
