# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work goes on without the module that began it, and the next run follows it. Only systemd is played here."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import zipapp
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError, Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job import (
    client,
    entry_point,
    tasks,
    transient_unit,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job.client import Job, JobError

# Like the program, but its work is a file that appears.
PROGRAM = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
task = json.loads((folder / "task.json").read_text())
gate = pathlib.Path(task["arguments"]["plan_path"])
(folder / "seen").write_text('{"what": "images", "done": 1, "total": 2, "seconds": 1.0}')
(folder / "seen").rename(folder / "progress.json")
while not gate.exists():
    time.sleep(0.02)
said = gate.read_text()
if said:
    answer = {"error": said} if said.startswith("No") else {"result": {"changed": True, "images": [said]}}
    (folder / "part").write_text(json.dumps(answer))
    (folder / "part").rename(folder / "result.json")
"""


class Systemd:
    """Runs what systemd-run is given, and says whether it still runs."""

    def __init__(self):
        self.process = None
        self.started = []
        self.refusals = []

    def run(self, argv, check=True):
        if argv[0] == "systemd-run":
            self.started.append(argv)
            self.process = subprocess.Popen(argv[argv.index("--") + 1 :])
        elif argv[:2] == ["systemctl", "show"]:
            if self.refusals:
                return self.refusals.pop(0)
            is_running = self.process is not None and self.process.poll() is None
            said = (
                "Result=signal\nExecMainStatus=9\n" if "Result" in argv[2] else "active\n" * is_running or "inactive\n"
            )
            return Completed(0, said, "")
        return Completed(0, "", "")


@pytest.fixture
def systemd(monkeypatch):
    played = Systemd()
    monkeypatch.setattr(transient_unit, "run", played.run)
    monkeypatch.setattr(transient_unit, "_PAUSE", 0.0)
    monkeypatch.setattr(client, "_STEP", 0.02)
    monkeypatch.setattr(client, "_ASK", 0.02)
    monkeypatch.setattr(zipapp, "write", lambda target: target.write_text(PROGRAM))
    yield played
    if played.process:
        played.process.kill()
        played.process.wait()


class Gate:
    """A file that appears with all that it says."""

    def __init__(self, path):
        self.path = path

    def write_text(self, text):
        part = self.path.with_suffix(".part")
        part.write_text(text)
        part.rename(self.path)


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


@pytest.fixture
def follow(tmp_path, gate):
    def call(job="", wait=0):
        return Job("images", str(tmp_path / "run")).follow({"plan_path": str(gate.path), "job": job, "wait": wait})

    return call


def test_a_module_waits_for_the_result(systemd, follow, gate):
    gate.write_text("copied")
    assert follow() == {"changed": True, "images": ["copied"], "finished": True}
    assert systemd.started[0][2] == "--unit=docker_to_podman-images.service"
    # skopeo makes the root folder of an image with it: other users than root have to get in.
    assert "--property=UMask=0022" in systemd.started[0]


def test_a_caller_who_does_not_wait_asks_again_and_is_shown_the_progress(systemd, follow, gate):
    first = follow(wait=0.1)
    while not first["progress"]:
        first = follow(first["job"], wait=0.1)
    assert (first["finished"], first["progress"]["done"]) == (False, 1)
    gate.write_text("copied")
    assert follow(first["job"])["images"] == ["copied"]
    assert len(systemd.started) == 1


def test_a_run_follows_what_an_earlier_one_left_under_way_and_then_does_its_own(systemd, follow, gate):
    lost = follow(wait=0.1)["job"]
    answer = follow(wait=0.1)
    assert (answer["finished"], answer["job"]) == (False, "")
    gate.write_text("copied")
    assert follow(answer["job"]) == {"changed": True, "images": ["copied"], "finished": True}
    assert len(systemd.started) == 2
    assert follow(lost)["images"] == ["copied"]


def test_who_comes_late_gets_the_result_of_his_own_job_also_while_the_next_one_runs(systemd, follow, gate):
    mine = follow(wait=0.1)["job"]
    gate.write_text("mine")
    systemd.process.wait()
    gate.path.unlink()
    theirs = follow(wait=0.1)["job"]
    assert follow(mine)["images"] == ["mine"]
    while not follow(theirs, wait=0.1)["progress"]:
        pass
    assert follow("", wait=0.1)["progress"]["done"] == follow(theirs, wait=0.1)["progress"]["done"] == 1
    gate.write_text("theirs")
    assert follow(theirs)["images"] == ["theirs"]
    assert follow(mine)["images"] == ["mine"]
    gate.path.unlink()
    latest = follow(wait=0.1)["job"]
    assert follow(theirs)["images"] == ["theirs"]
    # The one before the last is gone, which is said at once although another one runs.
    with pytest.raises(JobError, match="images that was followed here left no result.*run this again"):
        follow(mine)
    gate.write_text("latest")
    assert follow(latest)["images"] == ["latest"]


def test_a_job_that_was_killed_takes_no_result_with_it(systemd, follow, gate, tmp_path):
    gate.write_text("first")
    follow()
    gate.path.unlink()
    for _time in range(3):
        follow(wait=0.1)
        systemd.process.kill()
        systemd.process.wait()
    gate.write_text("last")
    assert follow()["images"] == ["last"]
    results = [path.read_text() for path in (tmp_path / "run" / "images").glob("*/result.json")]
    assert len(results) == len(list((tmp_path / "run" / "images").iterdir())) == 2


@pytest.mark.parametrize("job", ["../volumes", "/etc", "x", "A" * 32, "a" * 32 + "\n", "a" * 31])
def test_the_id_of_a_job_is_nothing_else(systemd, follow, job):
    with pytest.raises(JobError, match=r"cannot be the ID of a job; leave out the option job\.$"):
        follow(job)


BUSY = Completed(1, "", "Failed to get properties: Connection timed out")


@pytest.mark.parametrize("refusal", [BUSY, Completed(0, "", ""), Completed(0, "maintenance\n", "")])
def test_a_systemd_that_does_not_answer_never_means_that_nothing_runs(systemd, follow, gate, refusal):
    job = follow(wait=0.1)["job"]
    for asked in (job, ""):
        systemd.refusals = [refusal] * 9
        with pytest.raises(CommandError, match=r"does not say whether docker_to_podman-images\.service runs"):
            follow(asked, wait=0.1)
    systemd.refusals = [refusal] * 2
    assert follow(wait=0.1)["finished"] is False
    assert len(systemd.started) == 1
    gate.write_text("copied")
    assert follow(job)["images"] == ["copied"]


def test_an_error_of_the_work_is_the_module_s(systemd, follow, gate):
    gate.write_text("No room.")
    with pytest.raises(JobError, match=r"^No room\.$"):
        follow()


def test_work_that_was_killed_is_no_success(systemd, follow, gate):
    job = follow(wait=0.1)["job"]
    systemd.process.kill()
    systemd.process.wait()
    with pytest.raises(JobError, match=r"images ended without a result \(Result=signal, ExecMainStatus=9\)"):
        follow(job)
    gate.write_text("copied")
    assert follow()["images"] == ["copied"]


@pytest.mark.parametrize(
    ("state", "is_at_work"),
    [("activating", True), ("reloading", True), ("active", False), ("inactive", False), ("failed", False)],
)
def test_a_run_waits_for_what_recovers_while_it_works_and_not_while_it_waits(monkeypatch, state, is_at_work):
    said = {"docker_to_podman-workloads.service": "inactive\n", "docker_to_podman-recover.service": state + "\n"}
    monkeypatch.setattr(transient_unit, "run", lambda argv, check: Completed(0, said[argv[-1]], ""))
    assert Job("workloads")._is_under_way() is is_at_work


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("Result=signal\nExecMainStatus=9\n", "Result=signal, ExecMainStatus=9"),
        ("Result=success\nExecMainStatus=0\n", "systemd does not say how any more"),
        ("", "systemd does not say how any more"),
    ],
    ids=["killed", "dealt with", "no answer"],
)
def test_systemd_forgets_how_work_ended_that_was_dealt_with(monkeypatch, shown, said):
    monkeypatch.setattr(transient_unit, "run", lambda argv, check: Completed(0, shown, ""))
    assert transient_unit.ending("docker_to_podman-workloads.service") == said


PROXY = "http://user:secret@proxy.example:3128"


def test_the_work_has_the_proxy_that_the_module_was_given_and_no_list_of_processes_shows_it(
    systemd, follow, gate, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "environ", dict(os.environ, https_proxy=PROXY, NO_PROXY="example.org", OTHER="secret"))
    gate.write_text("pulled")
    follow()
    assert "secret" not in str(systemd.started)
    [task] = (tmp_path / "run" / "images").glob("*/task.json")
    assert stat.S_IMODE(task.stat().st_mode) == 0o600
    assert "OTHER" not in task.read_text()

    # The service has another environment.
    monkeypatch.setattr(os, "environ", {"HOME": "/root"})
    monkeypatch.setattr(sys, "argv", ["program", str(task.parent)])
    monkeypatch.setitem(tasks.WORK, "images", lambda *_given: dict(os.environ))
    entry_point.main()
    seen = json.loads((task.parent / "result.json").read_text())["result"]
    assert (seen["https_proxy"], seen["NO_PROXY"], seen["HOME"]) == (PROXY, "example.org", "/root")


def test_the_program_runs_by_itself(tmp_path):
    program, folder = tmp_path / "program.pyz", tmp_path / "job"
    zipapp.write(program)
    again = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); from {0} import write; write(pathlib.Path(sys.argv[2]))"
    )
    copy = tmp_path / "copy.pyz"
    subprocess.run([sys.executable, "-c", again.format(zipapp.__name__), str(program), str(copy)], check=True)
    assert zipfile.ZipFile(str(copy)).namelist() == zipfile.ZipFile(str(program)).namelist()
    folder.mkdir()
    (folder / "task.json").write_text(
        '{"work": "images", "environment": {}, "arguments": {"plan_path": "/nowhere/plan.json", "state_dir": "/nowhere"}}'
    )
    subprocess.run([sys.executable, "-I", str(program), str(folder)], check=True, timeout=60)
    assert "/nowhere/plan.json does not exist" in (folder / "result.json").read_text()
